import {
  DndError,
  versionToEtag,
  type CallOptions,
  type Receipt,
  type WriteConcern,
} from "@dnd/client";
import { callChecks, checkArgument, checkOptions, writeConcernCheck } from "@dnd/client/options";
import type { Entry } from "@dnd/store";
import type { Conditions } from "./conditions.ts";
import { maxDurationMs, maxTimerMs } from "./duration.ts";
import type { CommitListener } from "./group_commit.ts";
import { Later } from "./later.ts";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument, toNodeError } from "./node_error.ts";
import type { WaitingWrite } from "./waiting_writes.ts";

/** How long a write that waits for other members waits, unless told. */
export const defaultFollowMs = 10_000;

/** What every write takes. */
export interface WriteOptions extends Conditions {
  readonly w?: WriteConcern | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * How many members a concern means now (rule 18).
 *
 * @throws {DndError} `invalid-argument` when there are fewer
 */
export function neededBy(node: NodeCore, w: WriteConcern | undefined): number {
  if (w === undefined || w === "one" || w === 1) return 1;
  const members = Math.max(1, node.writeTargets());
  if (w === "all") return members;
  if (w === "quorum") return Math.floor(members / 2) + 1;
  if (!Number.isSafeInteger(w) || w < 1) {
    throw invalidArgument(
      `Cannot wait for w=${String(w)}: write a number from 1, one, quorum or all`,
    );
  }
  if (w > members) {
    throw invalidArgument(
      `Cannot wait for w=${w}: the cluster has ${members} ready member${members === 1 ? "" : "s"}`,
    );
  }
  return w;
}

/** Checks a time to live in milliseconds. */
export function checkTtl(ttlMs: number | undefined): void {
  if (ttlMs === undefined) return;
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1 || ttlMs > maxDurationMs) {
    throw invalidArgument(
      `Cannot use the time to live ${ttlMs} ms: it must be a whole number from 1 to 100 years`,
    );
  }
}

/** The id of the change that the map has just applied (rule 9). */
export function eventId(node: NodeCore, counter: number = node.map.counter): string {
  return `${node.id}.${node.generation}.${counter}`;
}

/** A write in the map, on its way to disk and to the others. */
export interface Written {
  readonly entry: Entry;
  readonly needed: number;
  readonly event: string;
}

/**
 * Waits for what was asked for, and makes the receipt.
 *
 * @returns the receipt itself where there is nothing to wait for: one node that keeps nothing on disk
 * @throws {DndError} `timeout` or `quorum-unavailable` with outcome `partial`; the write stays
 */
export function finishWrite(
  node: NodeCore,
  written: Written,
  options: WriteOptions,
): Receipt | PromiseLike<Receipt> {
  if (written.needed > 1) return finishFollowed(node, written, options);
  const { entry } = written;
  try {
    const durable = node.written([entry]);
    if (durable === undefined) return receiptOf(node, written, { acked: 1, superseded: false });
    const pending = new PendingReceipt(node, written);
    durable.listen(pending);
    return pending.receipt;
  } catch (error) {
    throw toNodeError(error);
  }
}

/** The receipt of a write that waits for its commit. */
class PendingReceipt implements CommitListener {
  readonly receipt: Later<Receipt> = new Later();
  readonly #node: NodeCore;
  readonly #written: Written;
  readonly #waiting: WaitingWrite;

  constructor(node: NodeCore, written: Written) {
    this.#node = node;
    this.#written = written;
    this.#waiting = node.writes.begin(written.entry, node.map.counter);
  }

  committed(): void {
    const node = this.#node;
    try {
      const superseded =
        node.writes.end(this.#waiting, node.map.counter) ?? isSuperseded(node, this.#written.entry);
      this.receipt.resolve(receiptOf(node, this.#written, { acked: 1, superseded }));
    } catch (error) {
      this.receipt.reject(error);
    }
  }

  failed(error: unknown): void {
    this.#node.writes.end(this.#waiting, 0);
    this.receipt.reject(toNodeError(error));
  }
}

async function finishFollowed(
  node: NodeCore,
  written: Written,
  options: WriteOptions,
): Promise<Receipt> {
  try {
    // Disk and members at once: this node's own confirmation is among those that are waited for.
    const [followed] = await Promise.all([
      follow(node, written, options),
      node.written([written.entry]),
    ]);
    return receiptOf(node, written, followed);
  } catch (error) {
    throw toNodeError(error);
  }
}

function receiptOf(
  node: NodeCore,
  { entry, needed, event }: Written,
  { acked, superseded }: { readonly acked: number; readonly superseded: boolean },
): Receipt {
  return {
    acked,
    needed,
    members: Math.max(1, node.writeTargets()),
    version: entry.version,
    etag: versionToEtag(entry.version),
    superseded,
    event,
    replicated: async (count: WriteConcern, call: CallOptions = {}) => {
      const what = "confirm a write";
      checkOptions(what, call, callChecks);
      checkArgument(what, "count", count, writeConcernCheck);
      node.checkServing(what);
      call.signal?.throwIfAborted();
      const { acked, needed, members } = await follow(
        node,
        { entry, needed: neededBy(node, count), event },
        { ...call, w: "explicit" },
      );
      return { acked, needed, members };
    },
  };
}

/** Whether this node holds a newer version by now. */
function isSuperseded(node: NodeCore, entry: Entry): boolean {
  try {
    const held = node.map.peek(entry.key)?.version;
    return (
      held !== undefined && (held.time !== entry.version.time || held.node !== entry.version.node)
    );
  } catch (error) {
    throw toNodeError(error);
  }
}

async function follow(
  node: NodeCore,
  { entry, needed }: Written,
  options: Omit<WriteOptions, "w"> & { readonly w?: WriteConcern | "explicit" | undefined },
) {
  const timeoutMs = Math.min(options.timeoutMs ?? defaultFollowMs, maxTimerMs);
  const result = await node.follow(entry, needed, { timeoutMs, signal: options.signal });
  if (result.ok) return result;
  options.signal?.throwIfAborted();
  // A caller of replicated() asked how far the write came by then: that is a timeout in any case.
  const unavailable = options.w !== "explicit" && node.liveTargets() < needed;
  throw new DndError(
    unavailable ? "quorum-unavailable" : "timeout",
    `The write is stored and will spread, but ${result.acked} of ${needed} members confirmed it in ${timeoutMs} ms`,
    {
      status: unavailable ? 503 : 504,
      outcome: "partial",
      acked: result.acked,
      needed,
      ...(unavailable ? { retryAfterMs: 1000 } : {}),
    },
  );
}
