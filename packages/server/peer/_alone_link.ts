import { DndError, versionToEtag, type ClusterMember, type Explanation } from "@dnd/client";
import type { HeldBack } from "@dnd/replication";
import type { Entry, VersionedMap } from "@dnd/store";
import type { Followed } from "../node_core.ts";
import type { ClusterLink } from "./cluster_link.ts";

/** A node without any network: the seam that tests of HTTP use. */
export class AloneLink implements ClusterLink {
  readonly address = "127.0.0.1:0";
  readonly port = 0;
  readonly copy = undefined;
  heldBack: HeldBack | undefined;
  ready = true;
  alone = true;
  /** Members besides this one that count for `w`. */
  absent = 0;
  /** Those of them that confirm, and whether they hold a newer version. */
  confirming = 0;
  superseded = false;
  /** How far the clocks of the others are ahead of this node's; undefined: none was heard yet. */
  offsetMs: number | undefined = 0;
  /** The entries of the node; a test makes its calls fail. */
  readonly map: VersionedMap;

  /** @param map the entries of the node */
  constructor(map: VersionedMap) {
    this.map = map;
  }

  reasons(): readonly string[] {
    return this.ready ? [] : ["the first copy is not complete"];
  }

  written(_entries: readonly Entry[]): void {
    // There is nobody to tell.
  }

  expiryNow(now: number): number {
    return now;
  }

  readNow(now: number): number | undefined {
    return this.offsetMs === undefined ? undefined : now + this.offsetMs;
  }

  writeTargets(): number {
    return 1 + this.absent;
  }

  liveTargets(): number {
    return 1;
  }

  async follow(_entry: Entry, needed: number): Promise<Followed> {
    const acked = Math.min(needed, 1 + this.confirming);
    const { superseded } = this;
    return { ok: acked >= needed, acked, needed, members: this.writeTargets(), superseded };
  }

  members(): readonly ClusterMember[] {
    return [
      {
        id: this.map.node,
        name: "alone",
        address: this.address,
        httpAddress: null,
        state: "alive",
        self: true,
        incarnation: 0,
        generation: 1,
        stalled: false,
        skewed: false,
        rttMs: null,
      },
    ];
  }

  async explain(key: string): Promise<Explanation> {
    const held = this.map.peek(key);
    const etag = held === undefined ? undefined : versionToEtag(held.version);
    return {
      key,
      ...(etag === undefined ? {} : { etag }),
      reason: etag === undefined ? "no member holds the key" : "it is the only version",
      members: [
        {
          node: this.map.node,
          name: "alone",
          state: "alive",
          counts: true,
          answer: etag === undefined ? "absent" : "holds",
          ...(etag === undefined ? {} : { etag, winner: true }),
        },
      ],
    };
  }

  async join(_peers: readonly string[]): Promise<void> {
    // Nobody is called.
  }

  async leave(): Promise<void> {
    throw new DndError("conflict", "Cannot leave: this node is alone", { status: 409 });
  }

  async forget(node: string): Promise<void> {
    throw new DndError("conflict", `Cannot forget ${node}: it is not dead`, { status: 409 });
  }

  setHttpAddress(_address: string): void {
    // Nobody asks.
  }

  async whenReady(): Promise<void> {
    // It is.
  }

  async figures(): Promise<Readonly<Record<string, number>>> {
    return {};
  }

  async setKeys(): Promise<void> {
    // Nothing is sealed.
  }

  async stop(): Promise<void> {
    // Nothing is open.
  }
}
