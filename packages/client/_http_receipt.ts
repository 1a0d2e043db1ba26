import { checkTimeout, invalidArgument } from "./_checks.ts";
import { invalidResponse } from "./_read_body.ts";
import { backoffMs } from "./_transport.ts";
import { callChecks, checkArgument, checkOptions, writeConcernCheck } from "./check_options.ts";
import { DndError } from "./dnd_error.ts";
import { etagToVersion } from "./etag.ts";
import type {
  CallOptions,
  Receipt,
  Replication,
  Version,
  WriteConcern,
} from "./key_value_types.ts";
import type { Explanation } from "./operations.ts";
import { readVersion } from "./_wire_value.ts";

/** What a receipt needs from its client. */
export interface HttpReceiptDependencies {
  explain(options: CallOptions): Promise<Explanation>;
  pause(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

/** Reads the receipt out of the head of an answer. */
export function readReceipt(response: Response, dependencies: HttpReceiptDependencies): Receipt {
  const { headers } = response;
  const etag = headers.get("etag");
  if (etag === null) throw invalidResponse(response, "a write was answered without an ETag");
  return makeReceipt(
    {
      ...readVersion(etag),
      ...readReplicas(headers.get("dnd-replicas")),
      superseded: headers.get("dnd-superseded") === "true",
      event: headers.get("dnd-event") ?? undefined,
    },
    dependencies,
  );
}

/** Adds `replicated()` to what is known about a write. */
export function makeReceipt(
  known: Omit<Receipt, "replicated">,
  dependencies: HttpReceiptDependencies,
): Receipt {
  return {
    ...known,
    replicated: (count, options = {}) => replicated(known, count, options, dependencies),
  };
}

/** `acked=1, needed=1, members=3` */
function readReplicas(header: string | null): Replication {
  const number = (name: string): number => {
    const digits = new RegExp(`(?:^|[,\\s])${name}=(\\d{1,6})`).exec(header ?? "")?.[1];
    return digits === undefined ? 1 : Number(digits);
  };
  return { acked: number("acked"), needed: number("needed"), members: number("members") };
}

/** Asks who holds which version until enough members hold this one or a newer one (rule 18). */
async function replicated(
  known: Omit<Receipt, "replicated">,
  count: WriteConcern,
  options: CallOptions,
  dependencies: HttpReceiptDependencies,
): Promise<Replication> {
  checkOptions("confirm a write", options, callChecks);
  checkArgument("confirm a write", "count", count, writeConcernCheck);
  const deadline = Date.now() + checkTimeout(options.timeoutMs, 10_000);
  let state: Replication | undefined;
  for (let round = 0; ; round += 1) {
    const leftMs = Math.min(Math.max(deadline - Date.now(), 1), Number.MAX_SAFE_INTEGER);
    try {
      const explanation = await dependencies.explain({ ...options, timeoutMs: leftMs });
      state = countHolders(explanation, known.version, count);
      if (state.acked >= state.needed) return state;
    } catch (error) {
      if (!(error instanceof DndError) || error.code !== "timeout") throw error;
    }
    const pauseMs = Math.min(backoffMs(round), 500);
    if (Date.now() + pauseMs >= deadline) {
      const { acked, needed } = state ?? known;
      throw new DndError(
        "timeout",
        `Cannot confirm ${known.etag} in time: ${acked} of ${needed} members are known to hold it`,
        { status: 504, outcome: "partial", acked, needed },
      );
    }
    await dependencies.pause(pauseMs, options.signal);
    options.signal?.throwIfAborted();
  }
}

function countHolders(
  explanation: Explanation,
  version: Version,
  count: WriteConcern,
): Replication {
  const counting = explanation.members.filter((member) => member.counts);
  const members = counting.length;
  const needed = neededOf(count, members);
  if (needed > members) {
    throw invalidArgument(`Cannot confirm by ${needed} members: there are ${members}`);
  }
  const acked = counting.filter((member) => {
    const held = member.etag === undefined ? undefined : etagToVersion(member.etag);
    return held !== undefined && !isOlder(held, version);
  }).length;
  return { acked, needed, members };
}

function neededOf(count: WriteConcern, members: number): number {
  if (count === "one") return 1;
  if (count === "quorum") return Math.floor(members / 2) + 1;
  return count === "all" ? members : count;
}

function isOlder(a: Version, b: Version): boolean {
  return a.time === b.time ? a.node < b.node : a.time < b.time;
}
