import type { IncomingMessage, ServerResponse } from "node:http";
import { admit } from "./admission.ts";
import { isLater, Later } from "../later.ts";
import type { Answer } from "./answer.ts";
import { createApp, keepExchange, serveRoute, type AppDependencies } from "./app.ts";
import { Exchange } from "./exchange.ts";
import { Outgoing } from "./outgoing.ts";
import { problemError } from "./problem.ts";
import { byPath } from "./routes.ts";
import { problemAnswer, sendAnswer } from "./send_answer.ts";

/** A request listener, and the same for requests that wait for `100 Continue`. */
export interface Listener {
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  readonly onCheckContinue: (request: IncomingMessage, response: ServerResponse) => void;
  /** The same for requests that expect something else. */
  readonly onCheckExpectation: (request: IncomingMessage, response: ServerResponse) => void;
  /** The same once the node is closed, for servers of others in which it is still mounted. */
  readonly onClosed: (request: IncomingMessage, response: ServerResponse) => void;
}

/** How a listener is made. */
export interface ListenerOptions {
  /**
   * Whether `/kv/{key}` is answered without Koa and its router (default true). Both ways run the same
   * checks and the same handler; the tests hold them to the same bytes.
   */
  readonly fastPath?: boolean;
}

/** Makes the listener of a node. */
export function createListener(
  dependencies: AppDependencies,
  options: ListenerOptions = {},
): Listener {
  const { context, routes, isLoopback } = dependencies;
  const koa = createApp(dependencies);
  const values = byPath(routes).find((paths) => paths.path === "/kv/{key}");

  const outgoing = new Outgoing((exchange, answer) => {
    sendAnswer(exchange, answer)?.catch((error: unknown) => {
      context.logger.error({ err: error }, "an answer could not be sent");
      exchange.response.destroy();
    });
  });

  const answerValue = (exchange: Exchange): void => {
    let answer: Answer | PromiseLike<Answer>;
    try {
      admit(exchange, isLoopback(exchange));
      if (values === undefined) throw new Error("the value routes are missing");
      answer = serveRoute(exchange, values);
    } catch (error) {
      answer = problemAnswer(exchange, error);
    }
    if (!isLater(answer)) {
      outgoing.push(exchange, answer);
      return;
    }
    const onAnswer = (given: Answer): void => outgoing.push(exchange, given);
    const onError = (error: unknown): void => onAnswer(problemAnswer(exchange, error));
    if (answer instanceof Later) answer.listen(onAnswer, onError);
    else answer.then(onAnswer, onError);
  };

  const handle = (exchange: Exchange): void => {
    const { request, response } = exchange;
    if (options.fastPath !== false && exchange.path.startsWith("/kv/")) {
      answerValue(exchange);
      return;
    }
    // A client that goes away in the middle is no error of ours.
    request.on("error", ignore);
    response.on("error", ignore);
    keepExchange(exchange);
    koa(request, response).catch((error: unknown) => {
      context.logger.error({ err: error }, "an answer could not be sent");
      response.destroy();
    });
  };
  const refuse = (exchange: Exchange, error: unknown): void => {
    exchange.request.on("error", ignore);
    exchange.response.on("error", ignore);
    exchange.closes = true;
    outgoing.push(exchange, problemAnswer(exchange, error));
  };
  return {
    onRequest: (request, response) => handle(new Exchange(context, request, response)),
    onCheckContinue: (request, response) => {
      const exchange = new Exchange(context, request, response);
      exchange.expectsContinue = true;
      handle(exchange);
    },
    onCheckExpectation: (request, response) => {
      const exchange = new Exchange(context, request, response);
      const detail = `Nothing but 100-continue can be expected, not ${exchange.header("expect")}`;
      refuse(exchange, problemError("invalid-argument", detail));
    },
    onClosed: (request, response) => {
      const detail = "Cannot serve: the node is closed";
      const error = problemError("not-ready", detail, { outcome: "not-applied" });
      refuse(new Exchange(context, request, response), error);
    },
  };
}

function ignore(): void {
  // Listened for so that it is not thrown; the close of the connection tells the rest.
}
