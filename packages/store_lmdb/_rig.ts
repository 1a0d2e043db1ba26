// What the crash and power-cut rigs share: the ledger of what a writer promised, and the check of what is
// there afterwards. The writer (_rig_child.ts) says on its standard output what it has stamped, before it
// waits, and what it was told is on disk, each as a line:
//
//     s <key> <number> <stamp>      written, and perhaps sent to others already
//     a <key> <number> <stamp>      acknowledged
//
// See _writer.ts for how the lines get here.
import { type StoredEntry, type VersionedMap } from "@dnd/store";
import { LEAF_LEVEL } from "@dnd/store/engine";

/** A small generator of random numbers in [0, 1): mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The value of a write: its number says all of it. Every seventh write is a delete. */
export function valueOf(key: string, number: number): Uint8Array | undefined {
  if (number % 7 === 0) return undefined;
  const length = number % 97 === 0 ? 20_000 : (number * 31) % 700;
  return Buffer.from(`${key} ${number} ${"x".repeat(length)}`);
}

interface Write {
  /** `undefined`: nobody said what this is; it was reported once. */
  readonly number: number | undefined;
  readonly stamp: number;
}

/** A key of the check's own. */
const CLOCK_KEY = "~clock";

/** What was promised. */
export class Ledger {
  /** Writes of a key that may be there, by rising stamp; the first one is the last acknowledged. */
  readonly #writes = new Map<string, Write[]>();
  #lastStamp = 0;
  acknowledged = 0;

  /**
   * Takes in a line of the writer.
   *
   * @throws {RangeError} if it is none: a whole line is never ignored
   */
  add(line: string): void {
    const [, what, key, number, stamp] = /^([as]) (\S+) (\d+) (\d+)$/.exec(line) ?? [];
    if (key === undefined) throw new RangeError(`Cannot read the line ${JSON.stringify(line)}`);
    const write = { number: Number(number), stamp: Number(stamp) };
    const known = this.#writes.get(key) ?? [];
    if (what === "s") {
      this.#writes.set(key, [...known, write]);
      this.#lastStamp = Math.max(this.#lastStamp, write.stamp);
    } else {
      this.acknowledged += 1;
      this.#writes.set(
        key,
        known.filter((other) => other.stamp >= write.stamp),
      );
      this.#acked.set(key, write.stamp);
    }
  }

  readonly #acked = new Map<string, number>();

  /**
   * Compares with what is there, and goes on from that.
   *
   * @returns what is lost (acknowledged, and not there) and what is wrong, one line each
   */
  check(map: VersionedMap): { readonly lost: string[]; readonly wrong: string[] } {
    const lost: string[] = [];
    const wrong: string[] = [];
    let newest = 0;
    for (const key of this.#writes.keys()) {
      const stamp = map.peek(key)?.version.time ?? 0;
      const acked = this.#acked.get(key) ?? 0;
      if (stamp < acked) lost.push(`${key}: acknowledged ${acked}, found ${stamp}`);
      newest = Math.max(newest, stamp);
    }
    for (const [key, writes] of this.#writes) {
      const entry = map.peek(key);
      const stamp = entry?.version.time ?? 0;
      const write = writes.find((each) => each.stamp === stamp);
      if (entry !== undefined && !isWhatWasWritten(entry, write)) {
        wrong.push(`${key}: ${stamp} is not what was written`);
      }
      // commits are in order: nothing older than the newest survivor may be missing
      const due = writes.findLast((each) => each.stamp <= newest)?.stamp ?? 0;
      if (lost.length === 0 && stamp < due) {
        wrong.push(`${key}: ${due} is missing, but ${newest} is there`);
      }
      this.#writes.set(key, entry === undefined ? [] : [write ?? { number: undefined, stamp }]);
      if (entry === undefined) this.#acked.delete(key);
      else this.#acked.set(key, stamp);
    }
    wrong.push(...this.#checkFigures(map), ...this.#checkClock(map));
    return { lost, wrong };
  }

  #checkFigures(map: VersionedMap): string[] {
    const wrong: string[] = [];
    const leaves = new Set<number>();
    let live = 0;
    let held = 0;
    for (const key of [CLOCK_KEY, ...this.#writes.keys()]) {
      const entry = map.peek(key);
      if (entry === undefined) continue;
      held += 1;
      leaves.add(entry.keyHash >>> 17);
      if (entry.deleted !== true) live += 1;
    }
    for (const leaf of leaves) map.digestEntries(LEAF_LEVEL, leaf);
    const { correctedLeaves, live: said } = map.statistics();
    if (correctedLeaves > 0) wrong.push(`${correctedLeaves} leaf sums were wrong`);
    if (said !== live) wrong.push(`says ${said} live entries, has ${live}`);
    if (map.engine.changes(0, Infinity).length !== held) {
      wrong.push("the change log does not hold each entry once");
    }
    return wrong;
  }

  /** Rule 7: no stamp is issued twice, whether its write was committed or only sent. */
  #checkClock(map: VersionedMap): string[] {
    const next = map.put(CLOCK_KEY, new Uint8Array()).version.time;
    const before = this.#lastStamp;
    this.#lastStamp = Math.max(before, next);
    return next > before ? [] : [`the clock went back from ${before} to ${next}`];
  }
}

function isWhatWasWritten(entry: StoredEntry, write: Write | undefined): boolean {
  if (write === undefined) return false;
  if (write.number === undefined) return true;
  const expected = valueOf(entry.key, write.number);
  if (expected === undefined) return entry.deleted === true;
  return entry.deleted !== true && Buffer.compare(entry.value, expected) === 0;
}
