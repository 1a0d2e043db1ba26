import type { Endpoint, Endpoints } from "./_endpoints.ts";
import { type ServerSentEvent, SseParser } from "./_sse_parser.ts";
import { backoffMs, type OpenStream, type Transport } from "./_transport.ts";
import { readChange } from "./_read_change.ts";
import { invalidArgument } from "./_checks.ts";
import { checkKey } from "./check_key.ts";
import { checkOptions, watchChecks } from "./check_options.ts";
import { DndError } from "./dnd_error.ts";
import type { Change, Watch, WatchOptions } from "./watch.ts";

/** Largest event: a value of 16 MiB, of characters that JSON writes with six, and everything around it. */
const MAX_EVENT_CHARS = (6 * 16 + 1) * 1024 * 1024;
/** A node sends a comment every 15 s; after three of them missed the connection is taken for dead. */
const IDLE_MS = 45_000;
/** Attempts before the first success, and the longest pause between later ones. */
const FIRST_ATTEMPTS = 3;
const LONGEST_PAUSE_MS = 30_000;

/** What a watch needs from its client. */
export interface HttpWatchDependencies {
  readonly transport: Transport;
  readonly endpoints: Endpoints;
}

/**
 * A watch over a fetch stream. It reads the next chunk only when everything before was taken, so a
 * slow reader slows the connection down, and the node cuts it at its own bound. A connection that
 * breaks is opened again behind the last event, on the same node first: event ids belong to a node
 * (rule 9), and another one answers with `reset`.
 */
export class HttpWatch<T> implements Watch<T> {
  readonly opened: Promise<void>;
  readonly #transport: Transport;
  readonly #endpoints: Endpoints;
  readonly #options: WatchOptions;
  /** What is wrong with the options: nothing is opened then. */
  readonly #refused: Error | undefined;
  readonly #ended: AbortController = new AbortController();
  readonly #unlink: () => void;
  #resolveOpened: () => void = () => undefined;
  #rejectOpened: (error: unknown) => void = () => undefined;
  #stream: Promise<OpenStream | undefined>;
  #changes: Change<T>[] = [];
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #parser: SseParser = new SseParser(MAX_EVENT_CHARS);
  #endpoint: Endpoint | undefined;
  #resumeAt: string | undefined;
  #handedOut: string | undefined;
  #wasOpen = false;
  readonly #wasClosed: boolean;
  #retryMs = 1000;
  #failure: Error | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  /** Starts at once. */
  constructor(dependencies: HttpWatchDependencies, given: WatchOptions) {
    let options = given;
    try {
      checkOptions("watch", given, watchChecks);
    } catch (error) {
      this.#refused = asError(error);
      options = {};
    }
    this.#transport = dependencies.transport;
    this.#endpoints = dependencies.endpoints;
    this.#options = options;
    this.#wasClosed = dependencies.transport.closed;
    this.#resumeAt = options.after;
    this.#handedOut = options.after;
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve;
      this.#rejectOpened = reject;
    });
    this.opened.catch(() => undefined); // next() rejects with the same error
    const end = (): void => this.#end();
    options.signal?.addEventListener("abort", end, { once: true });
    this.#unlink = () => options.signal?.removeEventListener("abort", end);
    if (options.signal?.aborted === true) this.#end();
    this.#stream = this.#connect();
  }

  get lastEventId(): string | undefined {
    return this.#handedOut;
  }

  next(): Promise<IteratorResult<Change<T>, undefined>> {
    // Calls wait for each other, so that each gets a change of its own.
    const result = this.#queue.then(() => this.#next());
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async return(): Promise<IteratorResult<Change<T>, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  async close(): Promise<void> {
    this.#end();
    (await this.#stream)?.abort();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #end(): void {
    this.#ended.abort();
    this.#unlink();
    this.#changes = [];
    this.#rejectOpened(new DndError("closed", "Cannot watch: it ended before it was established"));
  }

  async #next(): Promise<IteratorResult<Change<T>, undefined>> {
    for (;;) {
      const change = this.#changes.shift();
      if (change !== undefined) {
        this.#handedOut = change.id ?? this.#handedOut;
        return { done: false, value: change };
      }
      if (this.#ended.signal.aborted) return { done: true, value: undefined };
      await this.#fill();
      if (this.#failure !== undefined) {
        const failure = this.#failure;
        this.#end();
        this.#failure = undefined;
        throw failure;
      }
    }
  }

  /** Reads one chunk, or connects again. */
  async #fill(): Promise<void> {
    const stream = await this.#stream;
    if (stream === undefined) return;
    this.#reader ??= stream.response.body?.getReader();
    let events: ServerSentEvent[];
    try {
      const chunk = await this.#read(stream);
      if (chunk === undefined) {
        this.#reconnect(stream);
        return;
      }
      events = this.#parser.push(chunk);
      if (this.#parser.retryMs !== undefined) this.#retryMs = this.#parser.retryMs;
      if (this.#parser.lastEventId !== "") this.#resumeAt = this.#parser.lastEventId;
      for (const event of events) {
        const change = readChange<T>(event);
        if (change !== undefined) this.#changes.push(change);
      }
    } catch (error) {
      stream.abort();
      this.#failure =
        error instanceof DndError
          ? error
          : new DndError("invalid-response", `Cannot watch: ${String(error)}`, { cause: error });
    }
  }

  /** The next bytes; undefined when the connection ended, broke, or has been silent for too long. */
  async #read(stream: OpenStream): Promise<Uint8Array | undefined> {
    const idle = setTimeout(() => stream.abort(), IDLE_MS);
    try {
      const result = await this.#reader?.read();
      return result?.value;
    } catch {
      return undefined;
    } finally {
      clearTimeout(idle);
    }
  }

  #reconnect(stream: OpenStream): void {
    stream.abort();
    this.#reader = undefined;
    if (this.#ended.signal.aborted) return;
    if (this.#transport.closed) {
      this.#end();
      return;
    }
    this.#parser = new SseParser(MAX_EVENT_CHARS);
    this.#stream = this.#connect();
  }

  /** Opens the stream; undefined when the watch ended or failed meanwhile. */
  async #connect(): Promise<OpenStream | undefined> {
    const again = this.#wasOpen;
    try {
      const path = this.#path();
      if (again) await this.#pause(this.#retryMs);
      for (let attempt = 0; ; attempt += 1) {
        const stream = await this.#openAnywhere(path, again ? Infinity : FIRST_ATTEMPTS, attempt);
        if (this.#ended.signal.aborted) {
          stream?.abort();
          return undefined;
        }
        if (stream === undefined) continue;
        this.#connected(stream);
        return stream;
      }
    } catch (error) {
      if (this.#ended.signal.aborted) return undefined;
      if (this.#transport.closed && !this.#wasClosed) {
        this.#end();
        return undefined;
      }
      this.#failure = asError(error);
      this.#rejectOpened(error);
      return undefined;
    }
  }

  /** One round over the endpoints; undefined when another round may help. */
  async #openAnywhere(
    path: string,
    attempts: number,
    attempt: number,
  ): Promise<OpenStream | undefined> {
    const tried = new Set<Endpoint>();
    let last: unknown;
    for (let i = 0; i < this.#endpoints.size; i += 1) {
      const own = i === 0 && attempt === 0 ? this.#endpoint : undefined;
      const endpoint = own ?? this.#endpoints.pick(tried, Date.now());
      if (endpoint === undefined) break;
      tried.add(endpoint);
      try {
        const headers: Record<string, string> = { accept: "text/event-stream" };
        if (this.#wasOpen && this.#resumeAt !== undefined) {
          headers["last-event-id"] = this.#resumeAt;
        }
        return await this.#transport.open(
          { what: "watch", method: "GET", path, headers, signal: this.#ended.signal },
          endpoint,
        );
      } catch (error) {
        if (this.#ended.signal.aborted || this.#transport.closed) throw error;
        if (!(error instanceof DndError) || !mayPass(error)) throw error;
        this.#endpoints.failed(endpoint, Date.now());
        last = error;
      }
    }
    if (attempt + 1 >= attempts) throw last;
    await this.#pause(
      Math.min(Math.max(backoffMs(attempt), this.#retryMs * attempt), LONGEST_PAUSE_MS),
    );
    return undefined;
  }

  #connected(stream: OpenStream): void {
    const type = stream.response.headers.get("content-type") ?? "";
    if (!type.startsWith("text/event-stream")) {
      stream.abort();
      throw new DndError("invalid-response", `Cannot watch: ${stream.endpoint.base} sent ${type}`);
    }
    if (this.#wasOpen && this.#resumeAt === undefined) {
      const reason = "the connection broke before the first event id";
      this.#changes.push({ type: "reset", id: undefined, reason });
    }
    this.#endpoint = stream.endpoint;
    this.#wasOpen = true;
    this.#resolveOpened();
  }

  #pause(ms: number): Promise<void> {
    return this.#transport.pause(ms, this.#ended.signal);
  }

  #path(): string {
    if (this.#refused !== undefined) throw this.#refused;
    const { prefix, key, values, after } = this.#options;
    if (prefix !== undefined && key !== undefined) {
      throw invalidArgument("Cannot watch: give prefix or key, not both");
    }
    const query = new URLSearchParams();
    if (prefix !== undefined && prefix !== "") query.set("prefix", prefix);
    if (key !== undefined) {
      checkKey(key);
      query.set("key", key);
    }
    if (values === true) query.set("values", "true");
    if (after !== undefined && !this.#wasOpen) query.set("after", after);
    const text = query.toString();
    return text === "" ? "/watch" : `/watch?${text}`;
  }
}

/** Whether a failure to open may be over at the next attempt. */
function mayPass(error: DndError): boolean {
  return error.status === 0 || error.status === 429 || error.status >= 500;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error), { cause: error });
}
