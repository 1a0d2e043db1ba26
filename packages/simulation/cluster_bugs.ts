import { isDown, Swim } from "@dnd/gossip";
import { ExchangeSession, MemberTable, Outbox } from "@dnd/replication";
import { VersionedMap } from "@dnd/store";
import { DigestTree } from "@dnd/store/engine";
import type { ClusterFault, ClusterPace } from "./cluster_pace.ts";
import { ClusterNode } from "./cluster_node.ts";
import { DiskEngine } from "./disk_engine.ts";
import { patch, patchMerge, patchSize } from "./_patch.ts";

/** What the simulator looks at; each is shown to fail on a build that is broken. */
export type Checker =
  | "bounds"
  | "convergence"
  | "counter"
  | "deletes"
  | "liveness"
  | "membership"
  | "protocol"
  | "ready"
  | "stamps"
  | "writes";

/**
 * A bug that is put back for a test: the simulator must find it, or it shows nothing. Each is a patch of
 * one method from outside; the libraries know nothing of it.
 */
export interface ClusterBug {
  readonly name: string;
  /** The rule that it breaks. */
  readonly rule: number;
  /** The checker that has to find it. */
  readonly checker: Checker;
  /** Faults under which it shows soonest; default all. */
  readonly faults?: readonly ClusterFault[];
  /** Time of a commit, if it matters. */
  readonly commitMs?: number;
  /** Where it shows, if that is rare. */
  readonly at?: { readonly seed: number; readonly pace: ClusterPace };
  /** Patches; the result takes the patch out again. */
  readonly apply: () => () => void;
}

/** The bugs. */
export const CLUSTER_BUGS: readonly ClusterBug[] = [
  {
    name: "deletes are forgotten by age alone",
    rule: 1,
    checker: "deletes",
    faults: ["kill", "partition", "pause"],
    apply: () =>
      patch(MemberTable.prototype, "watermark", () => () => ({
        stamp: Infinity,
        heldBackBy: "",
      })),
  },
  {
    name: "what one peer holds counts as heard from all",
    rule: 1,
    checker: "deletes",
    faults: ["kill", "partition", "pause"],
    apply: () =>
      patch(MemberTable.prototype, "complete", (original) => {
        const patched: MemberTable["complete"] = function (this: MemberTable, peer, promise) {
          original.call(this, peer, { ...promise, seen: promise.clock, cutoff: Infinity });
        };
        return patched;
      }),
  },
  {
    name: "whoever missed reaped deletes does not notice",
    rule: 1,
    checker: "deletes",
    faults: ["kill", "forget", "partition"],
    apply: () => {
      const undo = [
        patch(MemberTable.prototype, "seenFor", () => () => Number.MAX_SAFE_INTEGER),
        patch(MemberTable.prototype, "watermark", () => () => ({
          stamp: Infinity,
          heldBackBy: "",
        })),
      ];
      return () => {
        for (const each of undo.reverse()) each();
      };
    },
  },
  {
    name: "of two versions the one that is held wins",
    rule: 5,
    checker: "writes",
    apply: () =>
      patchMerge((map, entries, options, merge) =>
        merge(
          entries.filter(({ key }) => map.peek(key) === undefined),
          options,
        ),
      ),
  },
  {
    name: "the digest misses some deltas",
    rule: 6,
    checker: "convergence",
    apply: () => {
      let calls = 0;
      return patch(DigestTree.prototype, "toggle", (original) => {
        const patched: DigestTree["toggle"] = function (this: DigestTree, leaf, high, low) {
          calls += 1;
          if (calls % 20 !== 0) original.call(this, leaf, high, low);
        };
        return patched;
      });
    },
  },
  {
    name: "no clock ceiling",
    rule: 7,
    checker: "stamps",
    faults: ["kill", "skew", "restart-all"],
    apply: () => {
      const undo = [
        patch(DiskEngine.prototype, "open", (original) => {
          const patched: DiskEngine["open"] = function (this: DiskEngine, listener) {
            const opened = original.call(this, listener);
            return { ...opened, state: { ...opened.state, clock: 0 }, ceiling: 0 };
          };
          return patched;
        }),
        patch(DiskEngine.prototype, "raiseCeiling", () => () => undefined),
      ];
      return () => {
        for (const each of undo.reverse()) each();
      };
    },
  },
  {
    name: "entries that are too early are neither refused nor restamped",
    rule: 8,
    checker: "convergence",
    faults: ["skew", "restart-all", "kill"],
    apply: () => {
      const undo = [patch(VersionedMap.prototype, "restamp", () => () => [])];
      return () => {
        for (const each of undo) each();
      };
    },
  },
  {
    name: "writes are acknowledged and promised before they are committed",
    rule: 9,
    checker: "writes",
    faults: ["kill", "loss", "partition", "restart-all"],
    commitMs: 400,
    apply: () =>
      patch(DiskEngine.prototype, "onCommitted", () => (callback) => {
        callback();
      }),
  },
  {
    name: "values stay when entries are stripped by each node's own clock: the TTL is lost on the way",
    rule: 10,
    checker: "liveness",
    apply: () =>
      patchMerge((_map, entries, options, merge) =>
        merge(
          entries.map((entry) => {
            const { key, value, version, deleted } = entry;
            return { key, value, version, ...(deleted === undefined ? {} : { deleted }) };
          }),
          options,
        ),
      ),
  },
  {
    name: "rumors that are dropped are never made up for: no exchange",
    rule: 11,
    checker: "writes",
    apply: () => patch(ExchangeSession.prototype, "start", () => () => undefined),
  },
  {
    name: "deletes do not travel by exchange",
    rule: 11,
    checker: "deletes",
    apply: () =>
      patchMerge((_map, entries, options, merge) => {
        if (options.rumor === true) return merge(entries, options);
        return merge(
          entries.filter((entry) => entry.deleted !== true),
          options,
        );
      }),
  },
  {
    name: "a node is ready before it holds anything",
    rule: 12,
    checker: "ready",
    faults: ["wipe"],
    apply: () => patch(ClusterNode.prototype, "hasSeeds" as "start", () => (): boolean => false),
  },
  {
    name: "what two prove to each other counts while the seeds of one are silent",
    rule: 12,
    checker: "deletes",
    at: { seed: 3655, pace: "churn" },
    apply: () =>
      patch(ClusterNode.prototype, "start", (original) => {
        const patched: ClusterNode["start"] = function (this: ClusterNode) {
          original.call(this);
          this.perform(this.replicator.handleSeedsAnswered(this.now()));
        };
        return patched;
      }),
  },
  {
    name: "a late rumor of something forgotten is taken, and deletes are forgotten early",
    rule: 1,
    checker: "deletes",
    faults: ["pause", "loss"],
    apply: () => {
      const undo = [
        patchMerge((_map, entries, options, merge) => merge(entries, { ...options, rumor: false })),
        patch(MemberTable.prototype, "watermark", () => () => ({
          stamp: Infinity,
          heldBackBy: "",
        })),
      ];
      return () => {
        for (const each of undo.reverse()) each();
      };
    },
  },
  {
    name: "a stale alive is accepted: an old rumor brings a dead member back",
    rule: 2,
    checker: "membership",
    faults: ["kill", "stop", "partition", "loss"],
    apply: () =>
      patch(Swim.prototype, "handleMessage", (original) => {
        const patched: Swim["handleMessage"] = function (this: Swim, envelope, from, now) {
          const down = new Map(
            this.members()
              .filter(({ state }) => isDown(state))
              .map((view) => [view.id, view]),
          );
          const effects = original.call(this, envelope, from, now);
          // What lost by the table is told all the same.
          for (const { id, state, generation, incarnation } of envelope.members) {
            const held = down.get(id);
            if (held === undefined || state !== "alive") continue;
            if (this.member(id)?.state !== held.state) continue;
            const member = { ...held, state, generation, incarnation };
            effects.push({ type: "notify", event: { type: "alive", member } });
          }
          return effects;
        };
        return patched;
      }),
  },
  {
    name: "the outbox takes more than its bound",
    rule: 11,
    checker: "bounds",
    faults: ["burst"],
    apply: () => {
      const beyond = new WeakMap<Outbox, number>();
      const undo = [
        patch(Outbox.prototype, "add", (original) => {
          const patched: Outbox["add"] = function (this: Outbox, entry, options) {
            if (!original.call(this, entry, options)) beyond.set(this, (beyond.get(this) ?? 0) + 1);
            return true;
          };
          return patched;
        }),
        patch(Outbox.prototype, "flush", (original) => {
          const patched: Outbox["flush"] = function (this: Outbox, members, options) {
            beyond.delete(this);
            return original.call(this, members, options);
          };
          return patched;
        }),
        patchSize((outbox, size) => size + (beyond.get(outbox) ?? 0)),
      ];
      return () => {
        for (const each of undo.reverse()) each();
      };
    },
  },
  {
    name: "the counter begins anew at each start",
    rule: 6,
    checker: "counter",
    faults: ["kill", "restart-all"],
    apply: () =>
      patch(DiskEngine.prototype, "open", (original) => {
        const patched: DiskEngine["open"] = function (this: DiskEngine, listener) {
          const opened = original.call(this, listener);
          return { ...opened, state: { ...opened.state, counter: 0 } };
        };
        return patched;
      }),
  },
  {
    name: "some frames of an exchange are handled twice",
    rule: 11,
    checker: "protocol",
    apply: () => {
      let frames = 0;
      return patch(ExchangeSession.prototype, "handleFrame", (original) => {
        const patched: ExchangeSession["handleFrame"] = function (
          this: ExchangeSession,
          frame,
          now,
        ) {
          frames += 1;
          original.call(this, frame, now);
          if (frames % 5 === 0) original.call(this, frame, now);
        };
        return patched;
      });
    },
  },
];
