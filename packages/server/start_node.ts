import { VersionedMap, type StorageError } from "@dnd/store";
import { DndNode, type NodeEnd } from "./dnd_node.ts";
import type { HttpService } from "./http/http_service.ts";
import { checkPorts } from "./check_ports.ts";
import { checkExposure } from "./check_exposure.ts";
import { NodeClock, type MachineClocks } from "./node_clock.ts";
import { guardLogger, silentLogger, type NodeLogger } from "./node_logger.ts";
import {
  defaultName,
  resolveNodeOptions,
  type NodeOptions,
  type ResolvedNodeOptions,
} from "./node_options.ts";
import { openData } from "./open_data.ts";
import type { ClusterLink, LinkParts } from "./peer/cluster_link.ts";
import { RunningNode } from "./running_node.ts";

/** Seams for tests. */
export interface StartHooks {
  /** Makes the link to the others. Default: gossip and replication. */
  readonly link?: (parts: LinkParts) => Promise<ClusterLink>;
  /** Answer everything through Koa. */
  readonly fastPath?: boolean;
  /** Longest time for a whole body of a request, in milliseconds. */
  readonly bodyMs?: number;
  /** The clocks of the machine. */
  readonly clocks?: MachineClocks;
}

/** {@link createNode} with its seams. */
export async function startNode(given: NodeOptions, hooks: StartHooks): Promise<DndNode> {
  const options = resolveNodeOptions(given);
  checkExposure(options);
  const logger = options.logger === undefined ? silentLogger : guardLogger(options.logger);
  if (options.dataDir !== undefined || options.http !== undefined) await checkPorts(options);
  const data = await openData(options);
  const undo: (() => Promise<void>)[] = [() => data.close()];
  try {
    const map = new VersionedMap({
      node: data.id,
      maxDriftMs: options.maxDriftMs,
      ...(data.engine === undefined ? {} : { engine: data.engine }),
    });
    undo.push(() => map.close());
    const { maxDriftMs } = options;
    const onStep = (stepMs: number): void =>
      logger.error({ stepMs }, "the wall clock has stepped: not believed until most members agree");
    const clock = new NodeClock({ maxDriftMs, onStep }, hooks.clocks);
    const name = options.name ?? defaultName(options.port, data.id);
    // The link is made first and tells of changes later.
    const late: { core?: RunningNode; close?: (end: NodeEnd) => void; isCopy?: boolean } = {};
    const onChanged = (): void => late.core?.changed();
    const onCopy = (): void => {
      logger.error({ id: data.id }, "another process runs with this node's id: taking a new one");
      data.renew();
      late.isCopy = true;
      late.close?.({ reason: "copy" });
    };
    const makeLink = hooks.link ?? (await import("./peer/peer_link.ts")).createPeerLink;
    const link = await makeLink({ options, data, map, logger, name, clock, onChanged, onCopy });
    undo.push(() => link.stop());

    let end: Promise<void> | undefined;
    let resolveEnded: (end: NodeEnd) => void = () => undefined;
    const ended = new Promise<NodeEnd>((resolve) => (resolveEnded = resolve));
    let service: Promise<HttpService> | undefined;
    // Gossip may end the node (a copy, rule 19) before HTTP is open: what opens is closed, and not left.
    let onOpened: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (onOpened = resolve));
    undo.push(async () => onOpened());
    const close = (reason: NodeEnd, graceMs: number): Promise<void> =>
      (end ??= closeNode(reason, graceMs));
    const running = new RunningNode({
      id: data.id,
      generation: data.generation,
      cluster: options.cluster,
      name,
      map,
      link,
      now: clock.now,
      logger,
      maxValueBytes: options.maxValueBytes,
      durability: options.durability,
      copy: data.copy,
      // The answer to whoever asked goes out first.
      onLeft: () => void setTimeout(() => void close({ reason: "left" }, 1_000), 50),
      // Waiting writes get their answers first; nothing is promised any more (rule 17).
      onStorageFailed: (error: StorageError) =>
        void setTimeout(() => void close({ reason: "failed", error }, 500), 50),
    });
    late.core = running;
    late.close = (reason) => void close(reason, 500);
    if (late.isCopy === true) late.close({ reason: "copy" });
    undo.push(async () => running.close());
    const http = (): Promise<HttpService> =>
      (service ??= import("./http/http_service.ts").then(async ({ HttpService: Service }) => {
        const made = new Service({
          node: running,
          link,
          logger,
          http: options.http,
          address: options.address,
          advertisedHost: options.advertise ?? link.address,
          fastPath: hooks.fastPath,
          bodyMs: hooks.bodyMs,
        });
        // First asked for when the node is closed already: a handler that is still mounted.
        if (end !== undefined) await made.close(0);
        return made;
      }));

    async function closeNode(reason: NodeEnd, graceMs: number): Promise<void> {
      running.beginClosing();
      await opened;
      await settle(logger, "HTTP", async () => (await service)?.close(graceMs));
      running.close();
      await settle(logger, "gossip", () => link.stop());
      await settle(logger, "the map", () => map.close());
      await settle(logger, "the data folder", () => data.close());
      resolveEnded(reason);
    }

    const node = new DndNode({ core: running, link, http, close, ended });
    if (options.http !== undefined) {
      undo.push(async () => (await service)?.close(0));
      await node.listen();
      if (node.httpPort !== undefined)
        link.setHttpAddress(httpAddress(options, link, node.httpPort));
    }
    onOpened();
    return node;
  } catch (error) {
    for (const step of undo.reverse()) await settle(logger, "a part of the node", step);
    throw error;
  }
}

/** The advertised host with the port of HTTP. */
function httpAddress(options: ResolvedNodeOptions, link: ClusterLink, port: number): string {
  const host = link.address.slice(0, link.address.lastIndexOf(":"));
  const own = options.http?.address;
  if (own === undefined || own === options.address) return `${host}:${port}`;
  return own.includes(":") ? `[${own}]:${port}` : `${own}:${port}`;
}

/** Closing goes on whatever happens. */
async function settle(
  logger: NodeLogger,
  what: string,
  close: () => Promise<unknown>,
): Promise<void> {
  try {
    await close();
  } catch (error) {
    logger.warn({ err: error }, `closing ${what} failed`);
  }
}
