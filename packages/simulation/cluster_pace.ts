import type { ReplicationOptions } from "@dnd/replication";

/**
 * `long`: 45 s of faults that last up to 15 s, every packet as bytes. `short`: 10 s of faults that come and
 * go faster, graces to match, three or four nodes, and one packet in 64 as bytes: a fifth of the work.
 * `churn`: 30 s in which members come and go, are wiped and forgotten, behind splits that outlast the grace,
 * and every other write is a delete: what rule 1 has to stand.
 */
export type ClusterPace = "long" | "short" | "churn";

/** What can go wrong. */
export type ClusterFault =
  | "kill"
  | "stop"
  | "wipe"
  | "pause"
  | "partition"
  | "one-way"
  | "loss"
  | "burst"
  | "restart-all"
  | "skew"
  | "forget"
  | "join";

/** Every fault that leaves the number of nodes as it is. */
export const CLUSTER_FAULTS: readonly ClusterFault[] = [
  "kill",
  "stop",
  "wipe",
  "pause",
  "partition",
  "one-way",
  "loss",
  "burst",
  "restart-all",
  "skew",
  "forget",
];

/** What churn is made of; what is named twice happens twice as often. */
const CHURN_FAULTS: readonly ClusterFault[] = [
  "join",
  "wipe",
  "wipe",
  "forget",
  "forget",
  "forget",
  "kill",
  "stop",
  "stop",
  "partition",
  "partition",
  "one-way",
  "restart-all",
];

/** The times of a pace. Graces are short, so that deletes are forgotten inside a run. */
export interface ClusterTimes {
  readonly replication: ReplicationOptions;
  readonly wire: "bytes" | "parcels";
  readonly nodes: readonly number[];
  readonly faultySeconds: number;
  /** Time after all agree in which deletes are forgotten, in ms. */
  readonly settleMs: number;
  readonly writeEveryMs: readonly [number, number];
  readonly faultEveryMs: readonly [number, number];
  readonly faultMs: readonly [number, number];
  readonly faults: readonly ClusterFault[];
  /** How much of the writes are deletes, 0 to 1. */
  readonly deletes: number;
}

/** Fewer than there are keys, so that bursts and skewed clocks reach them. */
export const CLUSTER_BOUNDS: {
  readonly outboxEntries: number;
  readonly waitingEntries: number;
} = { outboxEntries: 20, waitingEntries: 10 };

/** What each pace means. */
export const CLUSTER_TIMES: Readonly<Record<ClusterPace, ClusterTimes>> = {
  long: {
    replication: {
      ...CLUSTER_BOUNDS,
      graceMs: 8000,
      horizonStepMs: 1000,
      periodicMs: 6000,
      promiseIntervalMs: 500,
    },
    wire: "bytes",
    nodes: [3, 4, 5],
    faultySeconds: 45,
    settleMs: 12_000,
    writeEveryMs: [20, 400],
    faultEveryMs: [500, 6000],
    faultMs: [500, 15_000],
    faults: CLUSTER_FAULTS,
    deletes: 0.3,
  },
  short: {
    replication: {
      ...CLUSTER_BOUNDS,
      graceMs: 2000,
      horizonStepMs: 500,
      periodicMs: 3000,
      promiseIntervalMs: 250,
    },
    wire: "parcels",
    nodes: [3, 3, 4],
    faultySeconds: 10,
    settleMs: 4000,
    writeEveryMs: [20, 200],
    faultEveryMs: [200, 1800],
    faultMs: [300, 5000],
    faults: CLUSTER_FAULTS,
    deletes: 0.3,
  },
  churn: {
    replication: {
      ...CLUSTER_BOUNDS,
      graceMs: 1500,
      horizonStepMs: 250,
      periodicMs: 3000,
      promiseIntervalMs: 250,
    },
    wire: "parcels",
    nodes: [3, 4, 5],
    faultySeconds: 30,
    settleMs: 5000,
    writeEveryMs: [20, 250],
    faultEveryMs: [300, 3000],
    faultMs: [500, 20_000],
    faults: CHURN_FAULTS,
    deletes: 0.5,
  },
};
