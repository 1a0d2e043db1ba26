import { GossipNode } from "@dnd/gossip";
import type { LinkParts } from "./cluster_link.ts";

type Remembered = NonNullable<ConstructorParameters<typeof GossipNode>[0]>["remembered"];

/** Starts the membership layer of a node as its options say. @throws {BindError} and the like */
export async function startGossip(
  { options, data, logger, name }: LinkParts,
  remembered: Remembered,
): Promise<GossipNode> {
  const gossip = new GossipNode({
    id: data.id,
    generation: data.generation,
    port: options.port,
    address: options.address === "localhost" ? "127.0.0.1" : options.address,
    seeds: options.seeds,
    cluster: options.cluster,
    name,
    volatile: data.volatile,
    remembered,
    profile: options.profile,
    logger,
    ...(options.advertise === undefined ? {} : { advertise: options.advertise }),
    ...(options.thread === undefined ? {} : { thread: options.thread }),
    ...(options.maxDatagramBytes === undefined
      ? {}
      : { maxDatagramBytes: options.maxDatagramBytes }),
    ...(options.forgetAfterMs === undefined ? {} : { forgetAfterMs: options.forgetAfterMs }),
    ...(options.keys === undefined ? {} : { keys: options.keys }),
    ...(options.sealing === undefined ? {} : { sealing: options.sealing }),
    ...(options.insecure === undefined ? {} : { insecure: options.insecure }),
  });
  await gossip.start();
  return gossip;
}
