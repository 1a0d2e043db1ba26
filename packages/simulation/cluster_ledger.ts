import { compareVersions, type Entry, type Version } from "@dnd/store";
import type { ClusterNode } from "./cluster_node.ts";

interface Acked extends Version {
  readonly key: string;
  readonly deleted: boolean;
  readonly expiresAt: number | undefined;
  /** Text of the value: no two writes have the same. */
  readonly text: string;
}

interface Vanishing extends Version {
  /** From when on the key may be absent; 0 of a delete. */
  readonly from: number;
}

/** What a checker found wrong. */
export interface Finding {
  readonly checker: string;
  readonly detail: string;
}

/**
 * What clients were promised, and whether it was kept: no acknowledged write lost while a replica that
 * acknowledged it survives, no delete undone, stamps and counters strictly rising.
 */
export class ClusterLedger {
  readonly findings: Finding[] = [];
  readonly #acked: Acked[] = [];
  /**
   * Deletes and values that expire, by key, answered or not: one whose node died before the answer may
   * have spread.
   */
  readonly #vanishing = new Map<string, Vanishing[]>();
  readonly #lastStamp = new Map<string, number>();
  readonly #lastCounter = new Map<string, number>();
  /** Nodes whose writes are not promised any more: disk wiped, forgotten by an operator, clock wrong. */
  readonly #excused = new Set<string>();

  /** Nodes whose clock was off: what they wrote may have new stamps by now (rule 8). */
  readonly #skewed = new Set<string>();

  get writes(): number {
    return this.#acked.length;
  }

  /** A write got its stamp. */
  stamped(node: ClusterNode, entry: Entry): void {
    const { node: id, time } = entry.version;
    const last = this.#lastStamp.get(id) ?? 0;
    if (entry.deleted === true || entry.expiresAt !== undefined) {
      const from = entry.deleted === true ? 0 : (entry.expiresAt ?? 0);
      const known = this.#vanishing.get(entry.key);
      if (known === undefined) this.#vanishing.set(entry.key, [{ ...entry.version, from }]);
      else known.push({ ...entry.version, from });
    }
    if (hasSetBack(node)) this.skewed(id);
    if (time <= last && !this.#excused.has(id) && !this.#skewed.has(id)) {
      this.report("stamps", `${id.slice(-4)} issued ${time} after ${last}`);
    }
    this.#lastStamp.set(id, Math.max(last, time));
  }

  /** A write was answered: durable on the node that took it. */
  acknowledged(node: ClusterNode, entry: Entry, text: string): void {
    const { key, version, deleted, expiresAt } = entry;
    this.#acked.push({ ...version, key, deleted: deleted === true, expiresAt, text });
    const counter = node.engine.committedCounter;
    const last = this.#lastCounter.get(version.node) ?? 0;
    if (counter < last)
      this.report("counter", `${version.node.slice(-4)}: ${counter} after ${last}`);
    this.#lastCounter.set(version.node, counter);
  }

  /** Its promises do not count: its disk is gone, it was forgotten, or its clock was far off. */
  excuse(id: string): void {
    this.#excused.add(id);
  }

  /** Its clock was off: its entries may get new stamps, none of them may be lost. */
  skewed(id: string): void {
    this.#skewed.add(id);
  }

  report(checker: string, detail: string): void {
    if (this.findings.length < 20) this.findings.push({ checker, detail });
  }

  /** After everything has healed: what do the nodes hold? */
  check(nodes: readonly ClusterNode[], now: number): void {
    this.#checkConverged(nodes);
    const [first] = nodes;
    if (first === undefined) return;
    for (const node of nodes) if (hasSetBack(node)) this.skewed(node.gossip.id);
    const aside = new Set(nodes.flatMap((node) => node.record.aside.map(textOf)));
    const keys = new Set(this.#acked.map(({ key }) => key));
    for (const key of keys) this.#checkKey(first, key, aside, now);
  }

  #checkKey(node: ClusterNode, key: string, aside: ReadonlySet<string>, now: number): void {
    const writes = this.#acked.filter((write) => write.key === key);
    const excused = writes.some((write) => this.#excused.has(write.node));
    const counted = writes.filter((write) => !this.#excused.has(write.node));
    if (writes.some((write) => this.#skewed.has(write.node))) {
      // The order is not known any more; but of all these writes one must have won.
      const gone = this.#vanishing.has(key);
      const lost = node.map.peek(key) === undefined && !gone && !excused;
      if (lost && !writes.some(({ text }) => aside.has(text))) {
        this.report("writes", `${key}: every write is lost`);
      }
      return;
    }
    let newest: Acked | undefined;
    for (const write of counted) {
      if (newest === undefined || compareVersions(write, newest) > 0) newest = write;
    }
    if (newest === undefined) return;
    const held = node.map.peek(key);
    const older = held === undefined || compareVersions(held.version, newest) < 0;
    const live = held !== undefined && held.deleted !== true;
    if (newest.deleted) {
      if (live && older) {
        this.report("deletes", `${key}: ${held.version.time} lives, deleted at ${newest.time}`);
      }
      return;
    }
    if (!older) return;
    if (newest.expiresAt !== undefined && newest.expiresAt <= now) return;
    // A newer delete that was forgotten since, or a newer value that expired, also explains its absence.
    const vanishing = this.#vanishing.get(key) ?? [];
    const deleted = vanishing.some(
      (other) => other.from <= now && compareVersions(other, newest) > 0,
    );
    if (deleted || aside.has(newest.text) || excused) return;
    this.report("writes", `${key}@${newest.time} of ${newest.node.slice(-4)} is lost`);
  }

  #checkConverged(nodes: readonly ClusterNode[]): void {
    const digests = new Set(nodes.map((node) => String(node.map.digest())));
    const contents = new Set(nodes.map(contentsOf));
    if (digests.size > 1 || contents.size > 1) {
      this.report("convergence", `${digests.size} digests, ${contents.size} contents`);
    }
  }
}

/** Every key and version that a node holds. */
export function contentsOf(node: ClusterNode): string {
  return node.map
    .entries({ all: true, now: 0 })
    .map(({ key, version }) => `${key}@${version.time}-${version.node}`)
    .join();
}

/** Whether it has set its clock back (rule 8), in this process or in one before. */
function hasSetBack({ record }: ClusterNode): boolean {
  return record.events.some(({ event }) => event.type === "restamped");
}

function textOf(entry: Entry): string {
  return new TextDecoder().decode(entry.value);
}
