import { reviveError } from "./_cross_error.ts";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type {
  CrossedError,
  EngineCalls,
  EngineCommand,
  EngineReport,
  EngineSettings,
} from "./_engine_protocol.ts";
import { askEngine } from "./_engine_server.ts";
import { GossipEngine } from "./_gossip_engine.ts";
import type { DnsQueries } from "./seed_resolver.ts";
import type { SharedState } from "./shared_state.ts";

/** What an engine has to say, apart from replies. */
export type EngineNews = Exclude<EngineReport, { type: "reply" }>;

/** Options of both clients. */
export interface EngineClientOptions {
  settings: EngineSettings;
  shared: SharedState;
  onNews: (news: EngineNews) => void;
  /** The engine's thread is gone; nothing more will come. */
  onFailure: (error: Error) => void;
  dns?: DnsQueries | undefined;
}

/** An engine in a worker, or beside the host. */
export function startEngine(thread: "worker" | "main", options: EngineClientOptions): EngineClient {
  return thread === "main" ? new LocalEngineClient(options) : new WorkerEngineClient(options);
}

type Answer<Method extends keyof EngineCalls> = Promise<Awaited<ReturnType<EngineCalls[Method]>>>;

/** The host's side of an engine, wherever that runs. */
export interface EngineClient {
  /** Asks and waits for the answer. Rejects with what the engine threw, or when its thread is gone. */
  call<Method extends keyof EngineCalls>(
    method: Method,
    ...args: Parameters<EngineCalls[Method]>
  ): Answer<Method>;
  /** Hands over a batch of updates; the buffer must not be used afterwards. */
  sendUpdates(buffer: ArrayBuffer): void;
  /** Ends the thread, whatever it does. */
  terminate(): Promise<void>;
}

/** An engine in a worker thread. */
export class WorkerEngineClient implements EngineClient {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #waiting = new Map<
    number,
    { resolve: (value: never) => void; reject: (e: Error) => void }
  >();
  #calls = 0;
  #failed: Error | undefined;

  constructor({ settings, shared, onNews, onFailure }: EngineClientOptions) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), {
      name: "dnd gossip",
      execArgv: [], // flags of the host's own start (--input-type, loaders) are not for this file
      workerData: { settings, shared: shared.buffer, port: port2 },
      transferList: [port2],
    });
    port1.on("message", (report: EngineReport) => {
      if (report.type === "reply") this.#reply(report.call, report.value, report.error);
      else onNews(report);
    });
    const fail = (error: Error): void => {
      if (this.#failed !== undefined) return;
      this.#failed = error;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      port1.close();
      onFailure(error);
    };
    this.#worker.on("error", (error) => fail(error));
    this.#worker.on("exit", (code) => fail(new Error(`the gossip worker ended (${code})`)));
  }

  call<Method extends keyof EngineCalls>(
    method: Method,
    ...args: Parameters<EngineCalls[Method]>
  ): Answer<Method> {
    return new Promise((resolve, reject) => {
      if (this.#failed !== undefined) {
        reject(this.#failed);
        return;
      }
      const call = ++this.#calls;
      this.#waiting.set(call, { resolve: resolve, reject });
      const command: EngineCommand = { type: "call", call, method, args };
      this.#port.postMessage(command);
    });
  }

  sendUpdates(buffer: ArrayBuffer): void {
    const command: EngineCommand = { type: "updates", buffer };
    this.#port.postMessage(command, [buffer]);
  }

  async terminate(): Promise<void> {
    this.#failed ??= new Error("the gossip worker was ended");
    for (const { reject } of this.#waiting.values()) reject(this.#failed);
    this.#waiting.clear();
    this.#port.close();
    await this.#worker.terminate();
  }

  #reply(call: number, value: unknown, error: CrossedError | undefined): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (error === undefined) waiting?.resolve(value as never);
    else waiting?.reject(reviveError(error));
  }
}

/** An engine beside the host, for tests and small programs. */
export class LocalEngineClient implements EngineClient {
  readonly #engine: GossipEngine;

  constructor({ settings, shared, onNews, dns }: EngineClientOptions) {
    this.#engine = new GossipEngine(settings, shared, {
      report: (report) => {
        if (report.type !== "reply") onNews(report);
      },
      ...(dns === undefined ? {} : { dns }),
    });
  }

  async call<Method extends keyof EngineCalls>(
    method: Method,
    ...args: Parameters<EngineCalls[Method]>
  ): Promise<Awaited<ReturnType<EngineCalls[Method]>>> {
    return (await askEngine(this.#engine, method, args)) as Awaited<
      ReturnType<EngineCalls[Method]>
    >;
  }

  sendUpdates(buffer: ArrayBuffer): void {
    this.#engine.handleUpdates(buffer);
  }

  async terminate(): Promise<void> {
    await this.#engine.close();
  }
}
