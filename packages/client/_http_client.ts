import {
  checkContentType,
  checkTimeout,
  formatTtl,
  formatWriteConcern,
  invalidArgument,
} from "./_checks.ts";
import type { Endpoints } from "./_endpoints.ts";
import { HttpManyKeys } from "./_http_many_keys.ts";
import { makeReceipt, readReceipt, type HttpReceiptDependencies } from "./_http_receipt.ts";
import { hasDotSegment, keyPath } from "./_key_path.ts";
import { drain, invalidResponse, readBytes } from "./_read_body.ts";
import type { Transport } from "./_transport.ts";
import { callOf, conditions, readEntry, waitsForOthers } from "./_http_values.ts";
import { readVersion } from "./_wire_value.ts";
import { checkKey } from "./check_key.ts";
import { callChecks, checkOptions, deleteChecks, putChecks, touchChecks } from "./check_options.ts";
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
  PutOptions,
  Receipt,
  TouchOptions,
  Version,
} from "./key_value_types.ts";
import { encodeValue } from "./value_codec.ts";

/** The longest time that a node follows a write: one hour. */
const MAX_FOLLOW_MS = 3_600_000;

/** The client: {@link KeyValue} over HTTP, one key at a time here. */
export class HttpClient extends HttpManyKeys implements KeyValue {
  readonly #transport: Transport;
  readonly #timeoutMs: number;

  constructor(transport: Transport, endpoints: Endpoints, timeoutMs: number) {
    super(transport, endpoints, timeoutMs);
    this.#transport = transport;
    this.#timeoutMs = timeoutMs;
  }

  async put(key: string, value: unknown, options: PutOptions = {}): Promise<Receipt> {
    checkOptions("put", options, putChecks);
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

  async get<T = unknown>(key: string, options: CallOptions = {}): Promise<T | undefined> {
    checkOptions("get", options, callChecks);
    return (await this.#entry<T>(key, options))?.value;
  }

  async entry<T = unknown>(
    key: string,
    options: CallOptions = {},
  ): Promise<KeyValueEntry<T> | undefined> {
    checkOptions("get an entry", options, callChecks);
    return this.#entry<T>(key, options);
  }

  async #entry<T>(key: string, options: CallOptions): Promise<KeyValueEntry<T> | undefined> {
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
    checkOptions("look for a key", options, callChecks);
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
        if (response.ok && !response.headers.has("etag")) {
          throw invalidResponse(response, "it has no ETag; is it a dnd node?");
        }
        return response.ok;
      },
    });
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<DeleteReceipt> {
    checkOptions("delete", options, deleteChecks);
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
    checkOptions("touch", options, touchChecks);
    checkKey(key);
    const { ttlMs } = options;
    const operation = { op: "touch" as const, key, ...(ttlMs === undefined ? {} : { ttlMs }) };
    const [result] = await this.batch([operation], callOf(options));
    if (result?.error !== undefined) throw result.error;
    return result?.status === 404 ? undefined : result?.version;
  }

  /** What a 404 on a key means: nothing there, or no dnd node at all. */
  async missing(response: Response, what: string): Promise<undefined> {
    const error = await this.problem(response, what);
    if (error.code !== "not-found") throw error;
    return undefined;
  }

  /** A key that cannot stand in a path, read by a batch of one. */
  async #entryByBatch<T>(key: string, options: CallOptions): Promise<KeyValueEntry<T> | undefined> {
    const [result] = await this.batch<T>([{ op: "get", key }], callOf(options));
    if (result?.error !== undefined) throw result.error;
    if (result === undefined || result.status === 404) return undefined;
    const { contentType, expiresAt, etag, size = 0 } = result;
    const type = contentType ?? "application/json";
    const version = readVersion(etag);
    return {
      key,
      ...version,
      contentType: type,
      size,
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
    const [result] = await this.batch([operation], callOf(options));
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
      query.set("timeout", `${Math.min(Math.ceil(timeoutMs), MAX_FOLLOW_MS)}ms`);
    }
    const text = query.toString();
    return text === "" ? "" : `?${text}`;
  }
}
