import {
  checkContentType,
  checkLimit,
  checkTimeout,
  formatTtl,
  formatWriteConcern,
  invalidArgument,
} from "./_checks.ts";
import type { Endpoints } from "./_endpoints.ts";
import { readResult, refusedResult, toWireOperation, type WireOperation } from "./_http_batch.ts";
import { makeReceipt, readReceipt, type HttpReceiptDependencies } from "./_http_receipt.ts";
import { HttpWatch } from "./_http_watch.ts";
import { hasDotSegment, keyPath } from "./_key_path.ts";
import { drain, invalidResponse, readBytes, readObject } from "./_read_body.ts";
import type { Transport } from "./_transport.ts";
import { callOf, conditions, readEntry, waitsForOthers } from "./_http_values.ts";
import { readArray, readItem, readVersion } from "./_wire_value.ts";
import { checkKey } from "./check_key.ts";
import { DndError } from "./dnd_error.ts";
import { versionToMs } from "./etag.ts";
import type { KeyValue } from "./key_value.ts";
import type {
  BatchOperation,
  BatchResult,
  CallOptions,
  DeleteOptions,
  DeleteReceipt,
  KeyValueEntry,
  ListItem,
  ListOptions,
  ListPage,
  PutOptions,
  Receipt,
  TouchOptions,
  Version,
} from "./key_value_types.ts";
import type { Watch, WatchOptions } from "./watch.ts";
import { HttpOperations } from "./_http_operations.ts";
import { encodeValue } from "./value_codec.ts";

/** Operations in one batch. */
const MAX_OPERATIONS = 1000;

/** The client: {@link KeyValue} over HTTP; its operator's half is {@link HttpOperations}. */
export class HttpClient extends HttpOperations implements KeyValue {
  readonly #transport: Transport;
  readonly #endpoints: Endpoints;
  readonly #timeoutMs: number;

  constructor(transport: Transport, endpoints: Endpoints, timeoutMs: number) {
    super(transport, endpoints, timeoutMs);
    this.#transport = transport;
    this.#endpoints = endpoints;
    this.#timeoutMs = timeoutMs;
  }

  async put(key: string, value: unknown, options: PutOptions = {}): Promise<Receipt> {
    checkKey(key);
    const { contentType: type, ttlMs } = options;
    if (type !== undefined) checkContentType(type);
    // In a header this type means "no type": it is what `curl -d` sends.
    const isForm = type?.toLowerCase().startsWith("application/x-www-form-urlencoded") === true;
    if (isForm || hasDotSegment(key)) {
      const put = { op: "put" as const, key, value };
      const ttl = ttlMs === undefined ? {} : { ttlMs };
      const operation = { ...put, ...ttl, ...(type === undefined ? {} : { contentType: type }) };
      return (await this.#single(operation, options)).receipt;
    }
    const { bytes, contentType } = encodeValue(value, type);
    return this.#transport.call({
      what: `put ${JSON.stringify(key)}`,
      method: "PUT",
      path: `/kv/${keyPath(key)}${this.#writeQuery(options, ttlMs)}`,
      headers: { "content-type": contentType, ...conditions(options) },
      body: bytes,
      write: true,
      ...callOf(options),
      graceMs: waitsForOthers(options) ? 1000 : 0,
      read: async (response) => {
        await drain(response);
        return readReceipt(response, this.#receipts(key));
      },
    });
  }

  async get<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return (await this.entry<T>(key, options))?.value;
  }

  async entry<T = unknown>(
    key: string,
    options: CallOptions = {},
  ): Promise<KeyValueEntry<T> | undefined> {
    checkKey(key);
    if (hasDotSegment(key)) return this.#entryByBatch<T>(key, options);
    const what = `get ${JSON.stringify(key)}`;
    return this.#transport.call({
      what,
      method: "GET",
      path: `/kv/${keyPath(key)}`,
      accept: [404],
      ...callOf(options),
      read: async (response) => {
        if (response.status === 404) return this.missing(response, what);
        const bytes = await readBytes(response);
        return readEntry<T>(key, response, bytes);
      },
    });
  }

  async has(key: string, options: CallOptions = {}): Promise<boolean> {
    checkKey(key);
    if (hasDotSegment(key)) return (await this.#entryByBatch(key, options)) !== undefined;
    return this.#transport.call({
      what: `look for ${JSON.stringify(key)}`,
      method: "HEAD",
      path: `/kv/${keyPath(key)}`,
      accept: [404],
      ...callOf(options),
      read: async (response) => {
        await drain(response);
        const isProblem = response.headers
          .get("content-type")
          ?.startsWith("application/problem+json");
        if (response.status === 404 && isProblem !== true) {
          throw invalidResponse(response, "404 without a problem document; is it a dnd node?");
        }
        return response.ok;
      },
    });
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<DeleteReceipt> {
    checkKey(key);
    if (hasDotSegment(key)) {
      const { receipt, result } = await this.#single({ op: "delete", key }, options);
      return { ...receipt, existed: result.existed === true };
    }
    return this.#transport.call({
      what: `delete ${JSON.stringify(key)}`,
      method: "DELETE",
      path: `/kv/${keyPath(key)}${this.#writeQuery(options, undefined)}`,
      headers: conditions(options),
      write: true,
      ...callOf(options),
      graceMs: waitsForOthers(options) ? 1000 : 0,
      read: async (response) => {
        await drain(response);
        const receipt = readReceipt(response, this.#receipts(key));
        return { ...receipt, existed: response.headers.get("dnd-existed") === "true" };
      },
    });
  }

  async touch(key: string, options: TouchOptions = {}): Promise<Version | undefined> {
    checkKey(key);
    const { ttlMs } = options;
    const operation = { op: "touch" as const, key, ...(ttlMs === undefined ? {} : { ttlMs }) };
    const [result] = await this.batch([operation], options);
    if (result?.error !== undefined) throw result.error;
    return result?.status === 404 ? undefined : result?.version;
  }

  async deletePrefix(prefix: string, options: CallOptions = {}): Promise<number> {
    if (prefix === "") throw invalidArgument("Cannot delete by prefix: the prefix is empty");
    const answer = await this.#transport.call({
      what: `delete all keys under ${JSON.stringify(prefix)}`,
      method: "DELETE",
      path: `/kv?${new URLSearchParams({ prefix })}`,
      write: true,
      ...callOf(options),
      read: readObject,
    });
    return Number(answer["deleted"]);
  }

  async list<T = unknown>(options: ListOptions = {}): Promise<ListPage<T>> {
    const query = new URLSearchParams();
    if (options.prefix !== undefined && options.prefix !== "") query.set("prefix", options.prefix);
    if (options.limit !== undefined) query.set("limit", String(checkLimit(options.limit)));
    if (options.cursor !== undefined) query.set("cursor", options.cursor);
    if (options.values === true) query.set("values", "true");
    if (options.delimiter !== undefined && options.delimiter !== "") {
      query.set("delimiter", options.delimiter);
    }
    const text = query.toString();
    return this.#transport.call({
      what: "list",
      method: "GET",
      path: text === "" ? "/kv" : `/kv?${text}`,
      ...callOf(options),
      read: async (response) => {
        const page = await readObject(response);
        const { cursor, prefixes } = page;
        return {
          items: readArray(page["items"], "items").map((item) => readItem(item) as ListItem<T>),
          prefixes: Array.isArray(prefixes) ? prefixes.map(String) : [],
          ...(typeof cursor === "string" ? { cursor } : {}),
          event: response.headers.get("dnd-event") ?? undefined,
        };
      },
    });
  }

  async *entries<T = unknown>(
    options: Omit<ListOptions, "delimiter"> = {},
  ): AsyncGenerator<ListItem<T>, undefined> {
    let { cursor } = options;
    do {
      const page: ListPage<T> = await this.list<T>({
        ...options,
        ...(cursor === undefined ? {} : { cursor }),
      });
      yield* page.items;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  async batch<T = unknown>(
    operations: readonly BatchOperation[],
    options: CallOptions = {},
  ): Promise<BatchResult<T>[]> {
    if (operations.length > MAX_OPERATIONS) {
      const count = operations.length;
      throw invalidArgument(
        `Cannot send ${count} operations: at most ${MAX_OPERATIONS} in a batch`,
      );
    }
    const results: BatchResult<T>[] = [];
    const sent: number[] = [];
    const ops: WireOperation[] = [];
    for (const [at, operation] of operations.entries()) {
      try {
        ops.push(toWireOperation(operation));
        sent.push(at);
      } catch (error) {
        if (!(error instanceof DndError)) throw error;
        results[at] = refusedResult(operation, error);
      }
    }
    if (ops.length === 0) return results;
    const answers = await this.#transport.call({
      what: `send a batch of ${ops.length}`,
      method: "POST",
      path: "/batch",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ops }),
      write: ops.some(({ op }) => op !== "get"),
      ...callOf(options),
      read: async (response) => {
        const list = readArray((await readObject(response))["results"], "results");
        if (list.length !== sent.length) throw invalidResponse(response, "results are missing");
        return list;
      },
    });
    for (const [i, at] of sent.entries()) {
      const operation = operations[at];
      if (operation !== undefined) results[at] = readResult<T>(operation, answers[i] ?? {});
    }
    return results;
  }

  watch<T = unknown>(options: WatchOptions = {}): Watch<T> {
    return new HttpWatch<T>({ transport: this.#transport, endpoints: this.#endpoints }, options);
  }

  /** What a 404 on a key means: nothing there, or no dnd node at all. */
  async missing(response: Response, what: string): Promise<undefined> {
    const error = await this.problem(response, what);
    if (error.code !== "not-found") throw error;
    return undefined;
  }

  /** A key that cannot stand in a path, read by a batch of one. */
  async #entryByBatch<T>(key: string, options: CallOptions): Promise<KeyValueEntry<T> | undefined> {
    const [result] = await this.batch<T>([{ op: "get", key }], options);
    if (result?.error !== undefined) throw result.error;
    if (result === undefined || result.status === 404) return undefined;
    const { contentType, expiresAt, etag } = result;
    const type = contentType ?? "application/json";
    const version = readVersion(etag);
    return {
      key,
      ...version,
      contentType: type,
      size: encodeValue(result.value, type).bytes.length,
      modifiedAt: versionToMs(version.version),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      value: result.value as T,
    };
  }

  /** A write of a key that cannot stand in a path, as a batch of one. */
  async #single(
    operation: BatchOperation,
    options: DeleteOptions,
  ): Promise<{ receipt: Receipt; result: BatchResult }> {
    const { key } = operation;
    if (
      options.ifMatch !== undefined ||
      options.ifNoneMatch !== undefined ||
      waitsForOthers(options)
    ) {
      throw invalidArgument(
        `Cannot write ${JSON.stringify(key)} with w or a condition: it travels in a batch, which has neither`,
      );
    }
    const [result] = await this.batch([operation], options);
    if (result?.error !== undefined) throw result.error;
    if (result === undefined) throw new DndError("invalid-response", "Cannot use an empty batch");
    const receipt = makeReceipt(
      {
        ...readVersion(result.etag),
        acked: 1,
        needed: 1,
        members: 1,
        superseded: false,
        event: undefined,
      },
      this.#receipts(key),
    );
    return { receipt, result };
  }

  #receipts(key: string): HttpReceiptDependencies {
    return {
      explain: (options) => this.explain(key, options),
      pause: (ms, signal) => this.#transport.pause(ms, signal),
    };
  }

  #writeQuery(options: DeleteOptions, ttlMs: number | undefined): string {
    const query = new URLSearchParams();
    if (ttlMs !== undefined) query.set("ttl", formatTtl(ttlMs));
    if (options.w !== undefined) query.set("w", formatWriteConcern(options.w));
    if (waitsForOthers(options)) {
      const timeoutMs = checkTimeout(options.timeoutMs, this.#timeoutMs);
      if (timeoutMs !== Infinity) query.set("timeout", `${Math.ceil(timeoutMs)}ms`);
    }
    const text = query.toString();
    return text === "" ? "" : `?${text}`;
  }
}
