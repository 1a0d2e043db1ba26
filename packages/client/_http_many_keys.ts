import { invalidArgument } from "./_checks.ts";
import type { Endpoints } from "./_endpoints.ts";
import {
  callChecks,
  arrayCheck,
  checkArgument,
  checkOptions,
  textCheck,
  entriesChecks,
  listChecks,
} from "./check_options.ts";
import { readResult, refusedResult, toWireOperation, type WireOperation } from "./_http_batch.ts";
import { HttpOperations } from "./_http_operations.ts";
import { callOf } from "./_http_values.ts";
import { HttpWatch } from "./_http_watch.ts";
import { invalidResponse, readObject } from "./_read_body.ts";
import type { Transport } from "./_transport.ts";
import { readArray, readItem } from "./_wire_value.ts";
import { DndError } from "./dnd_error.ts";
import type {
  BatchOperation,
  BatchResult,
  CallOptions,
  ListItem,
  ListOptions,
  ListPage,
} from "./key_value_types.ts";
import type { Watch, WatchOptions } from "./watch.ts";

/** Operations in one batch. */
const MAX_OPERATIONS = 1000;

/** The part of the client that is about many keys. */
export class HttpManyKeys extends HttpOperations {
  readonly #transport: Transport;
  readonly #endpoints: Endpoints;

  constructor(transport: Transport, endpoints: Endpoints, timeoutMs: number) {
    super(transport, endpoints, timeoutMs);
    this.#transport = transport;
    this.#endpoints = endpoints;
  }

  async deletePrefix(prefix: string, options: CallOptions = {}): Promise<number> {
    checkOptions("delete by prefix", options, callChecks);
    checkArgument("delete by prefix", "the prefix", prefix, textCheck);
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
    checkOptions("list", options, listChecks);
    const query = new URLSearchParams();
    if (options.prefix !== undefined && options.prefix !== "") query.set("prefix", options.prefix);
    if (options.limit !== undefined) query.set("limit", String(options.limit));
    if (options.cursor !== undefined && options.cursor !== "") query.set("cursor", options.cursor);
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
    checkOptions("list entries", options, entriesChecks);
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
    checkOptions("send a batch", options, callChecks);
    checkArgument("send a batch", "operations", operations, arrayCheck);
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
    if (ops.length === 0) {
      const call = { what: "send a batch", write: true, ...callOf(options) };
      this.#transport.check(call, "not-applied");
      return results;
    }
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
}
