import { checkTimeout } from "./_checks.ts";
import type { Endpoints } from "./_endpoints.ts";
import { exportLines } from "./_http_export.ts";
import { importLines } from "./_http_import.ts";
import { hasDotSegment, keyPath } from "./_key_path.ts";
import { problemError } from "./_problem.ts";
import { drain, invalidResponse, readObject, readText } from "./_read_body.ts";
import { backoffMs, type OpenStream, type Transport } from "./_transport.ts";
import { checkKey } from "./check_key.ts";
import {
  callChecks,
  arrayCheck,
  checkArgument,
  checkOptions,
  textCheck,
  exportChecks,
  importChecks,
} from "./check_options.ts";
import { DndError } from "./dnd_error.ts";
import type { CallOptions } from "./key_value_types.ts";
import type {
  BackupResult,
  ClusterInfo,
  Explanation,
  ExportLine,
  ExportOptions,
  ImportOptions,
  ImportResult,
  Operations,
  Readiness,
} from "./operations.ts";

/** Default times of calls that take long. */
const READY_TIMEOUT_MS = 30_000;
const LEAVE_TIMEOUT_MS = 60_000;
const BACKUP_TIMEOUT_MS = 600_000;

/** The operator's half of the client. */
export class HttpOperations implements Operations {
  readonly #transport: Transport;
  readonly #endpoints: Endpoints;
  readonly #timeoutMs: number;

  constructor(transport: Transport, endpoints: Endpoints, timeoutMs: number) {
    this.#transport = transport;
    this.#endpoints = endpoints;
    this.#timeoutMs = timeoutMs;
  }

  async health(options: CallOptions = {}): Promise<void> {
    checkOptions("ask for health", options, callChecks);
    await this.#get("ask for health", "/health", options, async (response) => {
      refusePage(response);
      await drain(response);
    });
  }

  async readiness(options: CallOptions = {}): Promise<Readiness> {
    checkOptions("ask whether the node is ready", options, callChecks);
    return this.#transport.call({
      ...options,
      what: "ask whether the node is ready",
      method: "GET",
      path: "/health/ready",
      accept: [503],
      read: async (response) => {
        const body = await readObject(response);
        const { alone, reasons, detail } = body;
        return {
          ready: response.ok,
          ...(typeof alone === "boolean" ? { alone } : {}),
          ...(Array.isArray(reasons)
            ? { reasons: reasons.map(String) }
            : typeof detail === "string"
              ? { reasons: [detail] }
              : {}),
        };
      },
    });
  }

  /** Any node that is ready will do; the client then stays with it. */
  async ready(options: CallOptions = {}): Promise<void> {
    checkOptions("wait until a node is ready", options, callChecks);
    const deadline = Date.now() + checkTimeout(options.timeoutMs, READY_TIMEOUT_MS);
    let refused = false;
    for (let round = 0; ; round += 1) {
      try {
        const timeoutMs = Math.max(deadline - Date.now(), 1);
        await this.#transport.call({
          ...options,
          timeoutMs,
          rounds: 1,
          what: "wait until a node is ready",
          method: "GET",
          path: "/health/ready",
          read: async (response) => {
            refusePage(response);
            await drain(response);
          },
        });
        return;
      } catch (error) {
        if (!(error instanceof DndError) || error.code === "closed") throw error;
        if (error.status !== 0 && error.status !== 503) throw error;
        refused ||= error.status === 503;
        const pauseMs = backoffMs(Math.min(round, 3));
        if (Date.now() + pauseMs >= deadline) {
          throw refused ? await this.#notReady(options.signal) : error;
        }
        await this.#transport.pause(pauseMs, options.signal);
      }
    }
  }

  async cluster(options: CallOptions = {}): Promise<ClusterInfo> {
    checkOptions("ask for the cluster", options, callChecks);
    const info = await this.#get("ask for the cluster", "/cluster", options, readObject);
    return info as unknown as ClusterInfo;
  }

  async explain(key: string, options: CallOptions = {}): Promise<Explanation> {
    checkOptions("explain", options, callChecks);
    checkKey(key);
    if (hasDotSegment(key)) {
      throw new DndError(
        "invalid-key",
        `Cannot explain ${JSON.stringify(key)}: a path cannot hold "." and ".." segments`,
        { status: 400 },
      );
    }
    const what = `explain ${JSON.stringify(key)}`;
    const answer = await this.#get(what, `/explain/${keyPath(key)}`, options, readObject);
    return answer as unknown as Explanation;
  }

  async metrics(options: CallOptions = {}): Promise<string> {
    checkOptions("ask for metrics", options, callChecks);
    return this.#get("ask for metrics", "/metrics", options, async (response) => {
      refusePage(response);
      return readText(response);
    });
  }

  async openapi(options: CallOptions = {}): Promise<Record<string, unknown>> {
    checkOptions("ask for the API's description", options, callChecks);
    return this.#get("ask for the API's description", "/openapi.json", options, readObject);
  }

  async *export(options: ExportOptions = {}): AsyncGenerator<ExportLine, undefined> {
    checkOptions("export", options, exportChecks);
    const query = options.prefix ? `?${new URLSearchParams({ prefix: options.prefix })}` : "";
    const stream = await this.#openAnywhere("export", `/export${query}`, options);
    try {
      refusePage(stream.response);
    } catch (error) {
      stream.abort();
      throw error;
    }
    const idleMs = checkTimeout(options.timeoutMs, this.#timeoutMs);
    yield* exportLines(stream, idleMs, options.signal);
  }

  async import(
    lines: Iterable<ExportLine | string> | AsyncIterable<ExportLine | string>,
    options: ImportOptions = {},
  ): Promise<ImportResult> {
    checkOptions("import", options, importChecks);
    const { keep, ...call } = options;
    return importLines(lines, (body, imported) =>
      this.#transport.call({
        ...call,
        what: `import (${imported} stored so far)`,
        method: "POST",
        path: keep === undefined ? "/import" : `/import?${new URLSearchParams({ keep })}`,
        headers: { "content-type": "application/x-ndjson" },
        body,
        write: true,
        read: readObject,
      }),
    );
  }

  async join(peers: readonly string[], options: CallOptions = {}): Promise<void> {
    checkOptions("join", options, callChecks);
    checkArgument("join", "peers", peers, arrayCheck);
    await this.#post("join", "/cluster/join", { peers }, options);
  }

  async leave(options: CallOptions = {}): Promise<void> {
    checkOptions("leave", options, callChecks);
    const { timeoutMs = LEAVE_TIMEOUT_MS } = options;
    await this.#post("leave", "/cluster/leave", {}, { ...options, timeoutMs });
  }

  async forget(node: string, options: CallOptions = {}): Promise<void> {
    checkOptions("forget a member", options, callChecks);
    checkArgument("forget a member", "node", node, textCheck);
    await this.#post(`forget ${node}`, "/cluster/forget", { node }, options);
  }

  async backup(folder: string, options: CallOptions = {}): Promise<BackupResult> {
    checkOptions("back up", options, callChecks);
    checkArgument("back up", "folder", folder, textCheck);
    const { timeoutMs = BACKUP_TIMEOUT_MS } = options;
    const answer = await this.#post(
      `back up to ${folder}`,
      "/backup",
      { folder },
      { ...options, timeoutMs },
    );
    return { folder, ...answer };
  }

  async close(): Promise<void> {
    this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Reads the problem document of an answer to a read. */
  protected async problem(response: Response, what: string): Promise<DndError> {
    return problemError(what, false, response, await readText(response));
  }

  async #notReady(signal: AbortSignal | undefined): Promise<DndError> {
    let why = "no reason given";
    try {
      const { reasons } = await this.readiness({ timeoutMs: 1000, ...(signal ? { signal } : {}) });
      if (reasons !== undefined) why = reasons.join("; ");
    } catch {
      signal?.throwIfAborted();
    }
    return new DndError("not-ready", `Cannot wait any longer: the node is not ready: ${why}`, {
      status: 503,
    });
  }

  #get<T>(
    what: string,
    path: string,
    options: CallOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { signal, timeoutMs } = options;
    return this.#transport.call({ what, method: "GET", path, signal, timeoutMs, read });
  }

  async #post(
    what: string,
    path: string,
    body: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<Record<string, unknown>> {
    const { signal, timeoutMs } = options;
    return this.#transport.call({
      what,
      method: "POST",
      path,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      write: true,
      signal,
      timeoutMs,
      read: async (response) => {
        const type = response.headers.get("content-type") ?? "";
        if (type.startsWith("application/json")) return readObject(response);
        await drain(response);
        return {};
      },
    });
  }

  /** Opens a stream on the first endpoint that gives one. */
  async #openAnywhere(what: string, path: string, options: CallOptions): Promise<OpenStream> {
    const { signal, timeoutMs } = options;
    const tried = new Set<ReturnType<Endpoints["pick"]> & object>();
    let last: unknown;
    for (;;) {
      const endpoint = this.#endpoints.pick(tried, Date.now());
      if (endpoint === undefined) throw last;
      tried.add(endpoint);
      try {
        return await this.#transport.open(
          { what, method: "GET", path, signal, timeoutMs },
          endpoint,
        );
      } catch (error) {
        const mayPass =
          error instanceof DndError &&
          error.code !== "closed" &&
          (error.status === 0 || error.status >= 500);
        if (!mayPass) throw error;
        this.#endpoints.failed(endpoint, Date.now());
        last = error;
      }
    }
  }
}

/** A login page of somebody in between is a success too, by its status. */
function refusePage(response: Response): void {
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
    throw invalidResponse(response, "it is a web page; is it a dnd node?");
  }
}
