import type { IncomingMessage, ServerResponse } from "node:http";
import Router from "@koa/router";
import Koa from "koa";
import { admit, requireRole } from "./admission.ts";
import type { Answer } from "./answer.ts";
import { Exchange } from "./exchange.ts";
import type { HttpContext } from "./http_context.ts";
import { problemError } from "./problem.ts";
import type { Route } from "./route.ts";
import { byPath, type PathRoutes } from "./routes.ts";
import { MethodNotAllowed, problemAnswer, sendAnswer } from "./send_answer.ts";

/** What the middleware of this application hands on. */
export interface AppState {
  exchange: Exchange;
  answer?: Answer;
}

/** What the two ways to a route share: see {@link createListener}. */
export interface AppDependencies {
  readonly context: HttpContext;
  readonly routes: readonly Route[];
  /** Whether a request came in on a socket that is bound to a loopback address. */
  readonly isLoopback: (exchange: Exchange) => boolean;
}

/**
 * The Koa application: one middleware that makes an answer of whatever happens, and a router.
 * Nothing listens: it is handed out as a function, so that no type of Koa is in the package's own.
 */
export function createApp({
  context,
  routes,
  isLoopback,
}: AppDependencies): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const app = new Koa<AppState>();
  app.silent = true;
  app.use(async (koa, next) => {
    // The answer is written in one piece below; Koa would set and send each part of it alone.
    koa.respond = false;
    const exchange = exchangeOf(koa.req) ?? new Exchange(context, koa.req, koa.res);
    koa.state.exchange = exchange;
    let answer: Answer;
    try {
      admit(exchange, isLoopback(exchange));
      await next();
      answer = koa.state.answer ?? serverWide(exchange);
    } catch (error) {
      answer = problemAnswer(exchange, error);
    }
    await sendAnswer(exchange, answer);
  });
  const router = new Router<AppState>({ strict: true, sensitive: true });
  for (const paths of byPath(routes)) {
    router.all(pattern(paths), async (koa) => {
      koa.state.answer = await serveRoute(koa.state.exchange, paths);
    });
  }
  app.use(router.routes());
  return app.callback();
}

const exchanges = new WeakMap<object, Exchange>();

/** Hands over an exchange that was made before Koa saw the request. */
export function keepExchange(exchange: Exchange): void {
  exchanges.set(exchange.request, exchange);
}

function exchangeOf(request: object): Exchange | undefined {
  return exchanges.get(request);
}

/** The path is matched raw: nothing is decoded before the route does so itself. */
function pattern({ prefix, parameter }: PathRoutes): RegExp {
  const escaped = prefix.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  return new RegExp(`^${escaped}${parameter ? "[^]*" : ""}$`);
}

/** The error for a path that nothing serves. */
export function noSuchRoute(exchange: Exchange) {
  return problemError("no-such-route", `There is no route ${exchange.method} ${exchange.path}`);
}

/** `OPTIONS *` asks for the server itself (RFC 9110, 9.3.7); anything else that has come here is no route. */
function serverWide(exchange: Exchange): Answer {
  if (exchange.path !== "*") throw noSuchRoute(exchange);
  return { status: 204, headers: ["Allow", "GET, HEAD, PUT, POST, DELETE, OPTIONS"] };
}

/** Serves a request whose path has been matched. Both ways end here. */
export function serveRoute(exchange: Exchange, paths: PathRoutes): Answer | PromiseLike<Answer> {
  const { method, path } = exchange;
  exchange.route = paths.path;
  if (method === "OPTIONS") {
    return { status: 204, headers: ["Allow", paths.allow] };
  }
  const route = paths.byMethod.get(method);
  if (route === undefined) throw new MethodNotAllowed(method, path, paths.allow);
  requireRole(exchange, route.role);
  return route.handle(exchange, path.slice(paths.prefix.length));
}
