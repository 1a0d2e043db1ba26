import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type {
  BackupResult,
  CallOptions,
  ClusterInfo,
  ClusterMember,
  Explanation,
  Operations,
  Readiness,
} from "@dnd/client";
import { checkKey } from "@dnd/client";
import {
  arrayCheck,
  callChecks,
  checkArgument,
  checkOptions,
  textCheck,
  type OptionCheck,
} from "@dnd/client/options";
import { EmbeddedNode } from "./embedded_node.ts";
import type { HttpService } from "./http/http_service.ts";
import type { ClusterLink } from "./peer/cluster_link.ts";
import type { RunningNode } from "./running_node.ts";
import { checkSecrets } from "./check_node_options.ts";
import type { Tokens } from "./token_file.ts";

/** How a node ended. */
export interface NodeEnd {
  /**
   * `closed`: by `close()`; `left`: by `leave()`; `failed`: the storage has failed (rule 17); `copy`: it
   * ran on a copy of another node's data, has taken a new id, and can be started again (rule 19).
   */
  readonly reason: "closed" | "left" | "failed" | "copy";
  /** What has failed. */
  readonly error?: Error;
}

/** What a {@link DndNode} is made of. */
export interface DndNodeParts {
  readonly core: RunningNode;
  readonly link: ClusterLink;
  /** HTTP, made when it is first needed. */
  readonly http: () => Promise<HttpService>;
  /** Closes everything in order. */
  readonly close: (end: NodeEnd, graceMs: number) => Promise<void>;
  /** Fulfilled when the node has ended. */
  readonly ended: Promise<NodeEnd>;
}

const closeChecks: Readonly<Record<"graceMs", OptionCheck>> = {
  graceMs: (value) =>
    typeof value === "number" && value >= 0 && value < Infinity
      ? undefined
      : "a number of milliseconds from 0",
};

/** A node in this process. Made by {@link createNode}. */
export class DndNode extends EmbeddedNode implements Omit<Operations, "export" | "import"> {
  /** Plain request listener: the REST API, to mount in one's own server before any body parser. */
  readonly handler: RequestListener;
  /** Fulfilled when the node has ended, with the reason. Never rejects. */
  readonly ended: Promise<NodeEnd>;
  protected readonly core: RunningNode;
  readonly #parts: DndNodeParts;
  #service: HttpService | undefined;

  /** Made by {@link createNode}. */
  constructor(parts: DndNodeParts) {
    super();
    this.#parts = parts;
    this.core = parts.core;
    this.ended = parts.ended;
    this.handler = (request, response) => this.#handle(request, response);
  }

  /** Node id: 32 hex digits; kept in the data folder. */
  get id(): string {
    return this.core.id;
  }

  /** One up at each start with the same data folder. */
  get generation(): number {
    return this.core.generation;
  }

  /** Gossip address that the others call, `host:port`: what `seeds` of another node name. */
  get address(): string {
    return this.#parts.link.address;
  }

  /** Port of the HTTP API; undefined when it is off. */
  get httpPort(): number | undefined {
    return this.#service?.ports?.port;
  }

  /** Port of the HTTP API for browsers; undefined when it is off. */
  get webPort(): number | undefined {
    return this.#service?.ports?.webPort;
  }

  /** The members that this node knows, itself included. */
  members(): readonly ClusterMember[] {
    return this.#parts.link.members();
  }

  /** How many members count for `w` (rule 18): ready, neither left nor forgotten, the dead included. */
  get writeTargets(): number {
    return this.core.writeTargets();
  }

  /** How many of them are alive. */
  get liveTargets(): number {
    return this.core.liveTargets();
  }

  /** What `GET /cluster` says. */
  cluster(options: CallOptions = {}): Promise<ClusterInfo> {
    const what = "ask for the cluster";
    return this.call(what, options, callChecks, async () => this.core.clusterInfo());
  }

  /** Whether the node is ready, and why not. */
  readiness(options: CallOptions = {}): Promise<Readiness> {
    const what = "ask whether the node is ready";
    return this.call(what, options, callChecks, async () => this.core.readiness());
  }

  /** Who holds which version of a key, and why the winner won. */
  explain(key: string, options: CallOptions = {}): Promise<Explanation> {
    return this.call("explain", options, callChecks, async () => {
      checkKey(key);
      return this.core.explain(key, options);
    });
  }

  /** Calls further peers, `host:port` each. */
  join(peers: readonly string[], options: CallOptions = {}): Promise<void> {
    return this.call("join", options, callChecks, async () => {
      checkArgument("join", "peers", peers, arrayCheck);
      return this.core.join(peers);
    });
  }

  /**
   * Leaves the cluster after one complete exchange with a ready member, and closes.
   *
   * @param options whoever stops waiting does not call it back: the node leaves when it can (see `ended`)
   * @throws {DndError} `conflict` when no exchange was possible; the node goes on then (rule 2)
   */
  leave(options: CallOptions = {}): Promise<void> {
    return this.call("leave", options, callChecks, async () => {
      await this.core.leave(options);
      await this.#parts.close({ reason: "left" }, 1_000);
    });
  }

  /** Forgets a dead member (rule 3). @throws {DndError} `conflict` when it is not dead */
  forget(node: string, options: CallOptions = {}): Promise<void> {
    return this.call("forget a member", options, callChecks, async () => {
      checkArgument("forget a member", "node", node, textCheck);
      return this.core.forget(node);
    });
  }

  /** Makes a consistent copy of the data in a folder, while serving. */
  backup(folder: string, options: CallOptions = {}): Promise<BackupResult> {
    return this.call("back up", options, callChecks, async () => {
      checkArgument("back up", "folder", folder, textCheck);
      return this.core.backup(folder);
    });
  }

  /** Resolves when the node holds a complete copy, or is alone by rule 12. */
  override ready(options: CallOptions = {}): Promise<void> {
    const what = "wait until the node is ready";
    return this.call(what, options, callChecks, async () => {
      await this.#parts.link.whenReady();
      this.core.checkServing(what);
    });
  }

  /** The metrics as Prometheus text. */
  metrics(options: CallOptions = {}): Promise<string> {
    return this.call("make metrics", options, callChecks, async () => {
      return (await (await this.#http()).metrics()).text;
    });
  }

  /**
   * Takes new keys for gossip, new tokens and certificates for HTTP, from now on.
   *
   * @throws {TypeError} for a secret that is none; nothing is taken then
   */
  async reload(secrets: {
    readonly keys?: readonly Uint8Array[];
    readonly tokens?: Tokens;
    readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  }): Promise<void> {
    checkSecrets(secrets);
    this.core.checkServing("take new secrets");
    if (secrets.keys !== undefined) await this.#parts.link.setKeys(secrets.keys);
    (await this.#http()).reload(secrets);
  }

  /** Opens the HTTP ports that were asked for. Called by {@link createNode}. */
  async listen(): Promise<void> {
    await (await this.#http()).listen();
  }

  /**
   * Stops: refuses new connections, finishes requests, ends watches, flushes, tells the others
   * "stopped". It does not leave the cluster. Safe to call twice.
   *
   * @param options how long running requests may take, default 3,000 ms
   */
  override async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    checkOptions("close", options, closeChecks);
    return this.#parts.close({ reason: "closed" }, options.graceMs ?? 3_000);
  }

  async #http(): Promise<HttpService> {
    return (this.#service ??= await this.#parts.http());
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    if (this.#service !== undefined) {
      this.#service.handler(request, response);
      return;
    }
    this.#http().then(
      (service) => service.handler(request, response),
      () => void response.destroy(),
    );
  }
}
