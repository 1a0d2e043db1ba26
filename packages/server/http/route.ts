import type { z } from "zod";
import type { Role } from "../token_file.ts";
import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import type { ProblemCode } from "./problem.ts";

/** The methods that routes take. HEAD is answered where GET is. */
export type RouteMethod = "GET" | "PUT" | "POST" | "DELETE";

/** A documented answer that is no problem. */
export interface RouteAnswer {
  readonly description: string;
  /** Its media type; absent: no body. */
  readonly type?: string;
  /** Of a JSON body. */
  readonly schema?: z.ZodType;
  readonly headers?: readonly string[];
}

/** One operation: what serves it, what checks it and what documents it. */
export interface Route {
  readonly method: RouteMethod;
  /** As OpenAPI writes it: `/kv/{key}`. Only the last part may be a parameter, and takes the rest. */
  readonly path: string;
  /** A name that is unique: `putValue`. */
  readonly name: string;
  readonly summary: string;
  /** What the token must allow; absent: no token needed. */
  readonly role?: Role;
  /** Query parameters: a strict object. Absent: none are taken. */
  readonly query?: z.ZodObject;
  /** Request headers that matter. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body it takes. */
  readonly body?: {
    readonly type: string;
    readonly schema?: z.ZodType;
    readonly description: string;
    /** Whether it may be left out. Default: it may not. */
    readonly optional?: boolean;
  };
  /** Answers by status. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  /** Problems that this route may answer with, besides those of every route. */
  readonly problems: readonly ProblemCode[];
  readonly handle: (exchange: Exchange, rest: string) => Answer | PromiseLike<Answer>;
}
