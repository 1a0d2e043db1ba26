import { StoredEntry } from "@dnd/store/engine";
import { compareKeys } from "@dnd/store";
import { expect } from "chai";
import fc from "fast-check";
import { Group, type PendingChange } from "./_group.ts";
import { Overlay, isInRange } from "./_overlay.ts";

/** An overlay beside a list that is searched as a whole each time. */
class Pair {
  readonly overlay: Overlay;
  readonly plain = new Map<string, PendingChange>();
  readonly made: PendingChange[] = [];
  #counter = 0;

  constructor(generationChanges: number) {
    this.overlay = new Overlay(generationChanges);
  }

  put(key: string, expiresAt: number | undefined): void {
    this.#counter += 1;
    const marks = { keyHash: this.#counter, hashHigh: 0, hashLow: 0, fingerprintHigh: 0 };
    const fields = { key, value: new Uint8Array(1), version: { time: 1, node: "a" }, expiresAt };
    const rest = { fingerprintLow: 0, counter: this.#counter, stripped: false };
    this.#set(key, new StoredEntry(fields, { ...marks, ...rest }));
  }

  /** Puts an entry again, under its counter. */
  expire(key: string): void {
    const { entry } = this.plain.get(key) ?? {};
    if (entry !== undefined) this.#set(key, new StoredEntry(entry, entry.marks));
  }

  forget(key: string): void {
    this.#set(key, undefined);
  }

  #set(key: string, entry: StoredEntry | undefined): void {
    const change = new Group().add({ key, entry, previous: undefined }, undefined, false);
    this.plain.delete(key);
    this.plain.set(key, change);
    this.overlay.set(change, this.overlay.get(key));
    this.made.push(change);
  }

  /** Drops what was made before, as the end of a run does. */
  drop(count: number): void {
    const dropped = this.made.splice(0, count);
    for (const change of dropped) {
      if (this.plain.get(change.key) === change) this.plain.delete(change.key);
    }
    this.overlay.drop(dropped);
  }

  get entries(): StoredEntry[] {
    const entries = [...this.plain.values()].flatMap(({ entry }) => entry ?? []);
    return entries.sort((a, b) => a.counter - b.counter);
  }
}

const key = fc.oneof(
  fc.integer({ min: 0, max: 700 }).map((i) => `user/${i}`),
  fc.constantFrom("user", "user/😀", "user/\uffff", "v", "u"),
);
const steps = fc.array(
  fc.oneof(
    { arbitrary: fc.record({ puts: fc.array(key, { maxLength: 600 }) }), weight: 2 },
    fc.record({ forgotten: key }),
    fc.record({ expired: key }),
    fc.record({ dropped: fc.integer({ min: 1, max: 900 }) }),
    fc.record({
      range: fc.record(
        {
          prefix: fc.constantFrom("user/1", "user/\ud83d", "u"),
          from: key,
          after: key,
          before: key,
        },
        { requiredKeys: [] },
      ),
      limit: fc.constantFrom(1, 7, 100, Infinity),
    }),
    fc.record({
      after: fc.integer({ min: 0, max: 3_000 }),
      limit: fc.constantFrom(1, 50, Infinity),
    }),
  ),
  { minLength: 4, maxLength: 20, size: "max" },
);

describe("Overlay", () => {
  it("finds ranges, changes and the earliest time as a search of everything does", () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(1, 5, 100, 10_000), (list, generationChanges) => {
        const pair = new Pair(generationChanges);
        for (const step of list) {
          if ("puts" in step) {
            step.puts.forEach((text, i) => pair.put(text, i % 3 === 0 ? 5_000 - i : undefined));
          } else if ("forgotten" in step) pair.forget(step.forgotten);
          else if ("expired" in step) pair.expire(step.expired);
          else if ("dropped" in step) pair.drop(step.dropped);
          else if ("range" in step) {
            const wanted = pair.entries
              .filter((entry) => isInRange(entry.key, step.range))
              .sort((a, b) => compareKeys(a.key, b.key));
            const found = pair.overlay.entries(step.range, step.limit);
            expect(keysOf(found)).to.deep.equal(keysOf(wanted.slice(0, step.limit)));
          } else {
            const wanted = pair.entries.filter(({ counter }) => counter > step.after);
            const found = pair.overlay.entriesAfter(step.after, step.limit);
            expect(keysOf(found)).to.deep.equal(keysOf(wanted.slice(0, step.limit)));
          }
          const times = pair.entries.flatMap(({ expiresAt }) => expiresAt ?? []);
          const first = times.length === 0 ? undefined : Math.min(...times);
          expect(pair.overlay.firstDue("expiry")).to.equal(first);
          expect(pair.overlay.size).to.equal(pair.plain.size);
          const all = [...pair.overlay.all()];
          expect(all).to.have.length(pair.plain.size);
          expect(all.every((change) => pair.plain.get(change.key) === change)).to.equal(true);
          for (const text of ["user/1", "user/2", "v"]) {
            expect(pair.overlay.get(text)).to.equal(pair.plain.get(text));
          }
        }
      }),
      { numRuns: 150 },
    );
  }).timeout(30_000);
});

function keysOf(entries: readonly StoredEntry[]): string[] {
  return entries.map(({ key: text }) => text);
}
