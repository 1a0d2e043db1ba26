import { checkTimeout } from "./_checks.ts";
import type { Endpoint, Endpoints } from "./_endpoints.ts";
import { failureText, neverSent } from "./_never_sent.ts";
import { problemError } from "./_problem.ts";
import { readText } from "./_read_body.ts";
import { RequestClock } from "./_request_clock.ts";
import { DndError, type Outcome } from "./dnd_error.ts";

/** The part of `fetch` that the client uses. */
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>;

/** One call over HTTP. */
export interface HttpCall<T> {
  /** What is done, for messages: `put "user1"`. */
  readonly what: string;
  readonly method: string;
  /** Path behind the base URL, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
  /** A read may be sent again after any failure, a write only if it was certainly not applied. */
  readonly write?: boolean;
  /** Statuses besides 2xx that `read` takes. */
  readonly accept?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** In place of the client's number of rounds. */
  readonly rounds?: number;
  /** Milliseconds on top of `timeoutMs` for a node that has been told the timeout. Default 0. */
  readonly graceMs?: number;
  /** Reads the answer; within the time of the call. */
  read(response: Response): Promise<T>;
}

/** What a transport is made of. */
export interface TransportOptions {
  readonly endpoints: Endpoints;
  readonly fetch: FetchLike;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  /** Rounds over all endpoints. */
  readonly rounds: number;
}

/** First and longest pause between two rounds. */
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 2_000;

/** A node that did not answer for so long is passed over for a while. */
const TELLING_TIMEOUT_MS = 1_000;

/** What an attempt ended with: a value, or an error and whether another attempt may help. */
type Attempt<T> =
  | { readonly value: T }
  | { readonly error: DndError; readonly again: "no" | "elsewhere" | "anywhere" };

/** An answer whose body is read piece by piece. */
export interface OpenStream {
  readonly response: Response;
  readonly endpoint: Endpoint;
  /** Ends the request. */
  abort(): void;
}

/** Sends calls to one endpoint after the other until one answers, within bounds. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #running: Set<RequestClock> = new Set();
  #closed = false;

  /** @param options where to and how */
  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Ends everything that is running; later calls reject with `closed`. */
  close(): void {
    this.#closed = true;
    for (const clock of this.#running) clock.abort();
  }

  /**
   * Makes a call.
   *
   * @throws {DndError} the node's problem, `unreachable`, `timeout`, `closed`; the signal's reason
   */
  async call<T>(call: HttpCall<T>): Promise<T> {
    this.check(call, "not-applied");
    const { endpoints } = this.#options;
    const rounds = call.rounds ?? this.#options.rounds;
    const timeoutMs = checkTimeout(call.timeoutMs, this.#options.timeoutMs) + (call.graceMs ?? 0);
    const deadline = Date.now() + timeoutMs;
    let last: DndError | undefined;
    for (let round = 0; round < rounds; round += 1) {
      const tried = new Set<Endpoint>();
      let again = false;
      for (let i = 0; i < endpoints.size; i += 1) {
        this.check(call, "not-applied");
        const endpoint = endpoints.pick(tried, Date.now());
        const leftMs = deadline - Date.now();
        if (endpoint === undefined || leftMs <= 0) break;
        tried.add(endpoint);
        // A read need not wait for one node that hangs while others could answer.
        const spare = call.write === true ? 1 : Math.min(endpoints.size - i, 3);
        const attempt = await this.#attempt(call, endpoint, leftMs / spare);
        if ("value" in attempt) return attempt.value;
        if (attempt.again === "no") throw attempt.error;
        // A node that hangs or refuses says more than another one that is not there.
        if (last === undefined || attempt.error.code !== "unreachable") last = attempt.error;
        if (attempt.again === "anywhere") again = true;
      }
      if (last !== undefined && (!again || round + 1 === rounds)) throw last;
      const pauseMs = Math.max(backoffMs(round), last?.retryAfterMs ?? 0);
      if (Date.now() + pauseMs >= deadline) break;
      await this.pause(pauseMs, call.signal);
    }
    throw last ?? timeoutError(call, undefined);
  }

  /**
   * Opens a stream on one endpoint. The time is for the head of the answer; the body is the caller's.
   *
   * @throws as {@link call}; nothing is tried again
   */
  async open(call: Omit<HttpCall<never>, "read">, endpoint: Endpoint): Promise<OpenStream> {
    this.check(call);
    const timeoutMs = checkTimeout(call.timeoutMs, this.#options.timeoutMs);
    const clock = new RequestClock(this.#running, call.signal, timeoutMs);
    const abort = (): void => {
      clock.clear();
      clock.abort();
    };
    try {
      const response = await this.#options.fetch(...this.#request(call, endpoint, clock));
      if (!response.ok) throw problemError(call.what, false, response, await readText(response));
      this.#options.endpoints.answered(endpoint);
      clock.stopTimer();
      return { response, endpoint, abort };
    } catch (error) {
      abort();
      this.check(call);
      if (error instanceof DndError) throw error;
      throw clock.timedOut ? timeoutError(call, endpoint) : unreachable(call, endpoint, error);
    }
  }

  /** Waits; ends early, without an error, when the transport closes or the signal fires. */
  async pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const clock = new RequestClock(this.#running, signal, Infinity);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      const end = (): void => {
        clearTimeout(timer);
        resolve();
      };
      if (clock.signal.aborted) end();
      else clock.signal.addEventListener("abort", end, { once: true });
    });
    clock.clear();
  }

  async #attempt<T>(call: HttpCall<T>, endpoint: Endpoint, ms: number): Promise<Attempt<T>> {
    const { endpoints } = this.#options;
    const clock = new RequestClock(this.#running, call.signal, ms);
    let answered = false;
    try {
      const response = await this.#options.fetch(...this.#request(call, endpoint, clock));
      if (response.ok || call.accept?.includes(response.status) === true) {
        answered = true;
        const value = await call.read(response);
        endpoints.answered(endpoint);
        return { value };
      }
      const body = await readText(response);
      return this.#refused(
        call,
        endpoint,
        problemError(call.what, call.write === true, response, body),
      );
    } catch (error) {
      this.check(call, "unknown");
      if (error instanceof DndError) {
        // A success that cannot be read: what became of a write is not known.
        const isBlind = call.write === true && error.outcome === undefined;
        return { error: isBlind ? withOutcome(error, "unknown") : error, again: "no" };
      }
      // That a node did not answer within a short time of the caller's says little about the node.
      if (!clock.timedOut || ms >= TELLING_TIMEOUT_MS) endpoints.failed(endpoint, Date.now());
      const unsent = !answered && neverSent(error);
      const again = call.write === true && !unsent ? "no" : "anywhere";
      if (clock.timedOut) return { error: timeoutError(call, endpoint), again };
      return { error: unreachable(call, endpoint, error, unsent), again };
    } finally {
      clock.clear();
    }
  }

  /** What follows from an answer that is no success. */
  #refused(call: HttpCall<unknown>, endpoint: Endpoint, error: DndError): Attempt<never> {
    const { endpoints } = this.#options;
    const { status } = error;
    const busy = status === 429 || status === 503;
    const gateway = error.code === "invalid-response" && (status === 502 || status === 504);
    const full = status === 507;
    if (call.write === true ? error.outcome !== "not-applied" : !busy && !gateway && status < 500) {
      return { error, again: "no" };
    }
    if (!busy && !gateway && !full)
      return { error, again: call.write === true ? "no" : "elsewhere" };
    endpoints.failed(endpoint, Date.now());
    return { error, again: full ? "elsewhere" : "anywhere" };
  }

  #request(
    call: Omit<HttpCall<never>, "read">,
    endpoint: Endpoint,
    clock: RequestClock,
  ): [string, RequestInit] {
    const { token } = this.#options;
    const init: RequestInit = {
      method: call.method,
      headers: {
        ...call.headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      signal: clock.signal,
      // An answer from a cache, or from wherever a redirect leads, is no answer of the node.
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    };
    if (call.body !== undefined) init.body = call.body;
    return [endpoint.base + call.path, init];
  }

  /** @throws the signal's reason; {@link DndError} `closed`, with this outcome for a write */
  check(call: Pick<HttpCall<never>, "what" | "signal" | "write">, outcome?: Outcome): void {
    call.signal?.throwIfAborted();
    if (!this.#closed) return;
    throw new DndError(
      "closed",
      `Cannot ${call.what}: the client is closed`,
      call.write === true && outcome !== undefined ? { outcome } : {},
    );
  }
}

/** Pause after a round: doubled each time, with jitter so that clients do not come back together. */
export function backoffMs(round: number): number {
  const full = Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(round, 10), LONGEST_BACKOFF_MS);
  return full / 2 + (Math.random() * full) / 2;
}

function withOutcome(error: DndError, outcome: Outcome): DndError {
  const { code, message, status, requestId, cause } = error;
  return new DndError(code, message, {
    ...{ status, outcome, cause },
    ...(requestId === undefined ? {} : { requestId }),
  });
}

function timeoutError(
  call: { readonly what: string; readonly write?: boolean },
  endpoint: Endpoint | undefined,
): DndError {
  const where = endpoint === undefined ? "no node" : endpoint.base;
  return new DndError(
    "timeout",
    `Cannot ${call.what}: ${where} did not answer in time`,
    call.write === true ? { outcome: endpoint === undefined ? "not-applied" : "unknown" } : {},
  );
}

function unreachable(
  call: { readonly what: string; readonly write?: boolean },
  endpoint: Endpoint,
  cause: unknown,
  unsent: boolean = false,
): DndError {
  return new DndError(
    "unreachable",
    `Cannot ${call.what}: ${endpoint.base}: ${failureText(cause)}`,
    {
      cause,
      ...(call.write === true ? { outcome: unsent ? "not-applied" : "unknown" } : {}),
    },
  );
}
