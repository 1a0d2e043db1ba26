// The map against a deliberately dumb second implementation: an array of entries, searched from end to
// end, sorted when asked.
import { MemoryEngine } from "./memory_engine.ts";
import { NOW, anyEntry, anyKey, anyValue, runs } from "./_test_utils.ts";
import { compareEntries, mergeEntries } from "./merge_entries.ts";
import { isStripped } from "./content_hash.ts";
import { compareVersions, msOf, stampOf } from "./version.ts";
import type { Entry } from "./entry.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";
import fc from "fast-check";

const MAX_DRIFT_MS = 500;

interface Held {
  entry: Entry;
  counter: number;
  /** Whether expire() has found it. */
  stripped: boolean;
}

/** The dumb map. */
class DumbMap {
  held: Held[] = [];
  counter = 0;
  last = 0;
  horizon = 0;
  floor = 0;
  now = NOW;

  find(key: string): Held | undefined {
    return this.held.find((held) => held.entry.key === key);
  }

  live(): Entry[] {
    return this.held
      .filter(({ stripped }) => !stripped)
      .map(({ entry }) => entry)
      .filter((e) => e.deleted !== true && (e.expiresAt ?? Infinity) > this.now)
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  apply(entry: Entry): void {
    this.held = this.held.filter((held) => held.entry.key !== entry.key);
    this.counter += 1;
    const stripped = isStripped(entry) || (entry.expiresAt ?? Infinity) <= this.now;
    this.held.push({ entry, counter: this.counter, stripped });
  }

  write(entry: Omit<Entry, "version">): void {
    this.last = Math.max(this.last + 1, stampOf(this.now));
    this.apply({ ...entry, version: { time: this.last, node: "m" } });
  }

  merge(entry: Entry, rumor: boolean): string {
    const { time } = entry.version;
    if (msOf(time) - this.now > MAX_DRIFT_MS) return "refused";
    const held = this.find(entry.key);
    if (held === undefined && rumor && time <= this.horizon) return "refused";
    this.last = Math.max(this.last, time);
    if (held !== undefined && this.keeps(held, entry)) return "superseded";
    this.apply(entry);
    return "applied";
  }

  /**
   * Whether what is held stays. Of one version with two contents, the one whose value was dropped counts as
   * greater (see merge_entries.ts).
   */
  keeps(held: Held, entry: Entry): boolean {
    const { version, deleted, expiresAt } = held.entry;
    const isTie =
      compareVersions(version, entry.version) === 0 &&
      deleted === entry.deleted &&
      expiresAt === entry.expiresAt;
    if (isTie && held.stripped) return true; // none of `anyEntry` comes without its value
    return mergeEntries(held.entry, entry) === held.entry;
  }

  expire(): string[] {
    const due = this.held.filter(
      ({ entry, stripped }) => !stripped && (entry.expiresAt ?? Infinity) <= this.now,
    );
    for (const held of due) held.stripped = true;
    return due.map(({ entry }) => entry.key).sort();
  }

  reap(horizon: number): void {
    this.horizon = Math.max(this.horizon, horizon);
    const reapable = ({ entry }: Held): boolean =>
      entry.version.time <= this.horizon &&
      (entry.deleted === true || stampOf(entry.expiresAt ?? Infinity) <= this.horizon);
    for (const held of this.held) {
      if (!reapable(held)) continue;
      this.floor = Math.max(this.floor, held.counter);
    }
    this.held = this.held.filter((held) => !reapable(held));
    for (const held of this.held) {
      const { expiresAt } = held.entry;
      if (expiresAt !== undefined && expiresAt <= msOf(this.horizon)) held.stripped = true;
    }
  }
}

interface Real {
  map: VersionedMap;
}

type Command = fc.Command<DumbMap, Real>;

function command(name: string, run: (model: DumbMap, real: Real) => void): Command {
  return { check: () => true, run, toString: () => name };
}

/** Everything that both show must be equal, after every command. */
function compare(model: DumbMap, { map }: Real): void {
  const { now } = model;
  expect(map.counter).to.equal(model.counter);
  expect(map.horizon).to.equal(model.horizon);
  expect(map.entries({ now })).to.deep.equal(model.live());
  const all = [...model.held].sort((a, b) => a.counter - b.counter);
  expect(map.entries({ all: true })).to.have.length(all.length);
  for (const { entry } of all) {
    const held = map.peek(entry.key);
    expect(held?.version).to.deep.equal(entry.version);
    expect(compareEntries(held ?? expect.fail(), entry)).to.equal(0);
  }
  const { live, tombstones, expired, valueBytes } = map.statistics();
  const count = (test: (held: Held) => boolean): number => all.filter(test).length;
  expect(live).to.equal(count(({ entry, stripped }) => entry.deleted !== true && !stripped));
  expect(tombstones).to.equal(count(({ entry }) => entry.deleted === true));
  expect(expired).to.equal(count(({ stripped }) => stripped));
  expect(valueBytes).to.equal(
    all.reduce((sum, { entry, stripped }) => sum + (stripped ? 0 : entry.value.length), 0),
  );
  const changes = map.changesSince(model.floor);
  expect(changes.map((change) => change.counter)).to.deep.equal(
    all.map(({ counter }) => counter).filter((counter) => counter > model.floor),
  );
  if (model.floor > 0) expect(map.changesSince(model.floor - 1)[0]?.type).to.equal("reset");
  const expiries = all
    .filter(({ entry, stripped }) => !stripped && entry.expiresAt !== undefined)
    .map(({ entry }) => entry.expiresAt ?? 0);
  expect(map.nextExpiry).to.equal(expiries.length === 0 ? undefined : Math.min(...expiries));
  // the digest is that of a map that was only ever given what is left
  const fresh = new VersionedMap({ node: "f" });
  fresh.merge(map.entries({ all: true }), { now, trustedNow: now + 1e9 });
  expect(map.digest()).to.deep.equal(fresh.digest());
}

const commands: fc.Arbitrary<Command>[] = [
  fc.tuple(anyKey, anyValue, fc.option(fc.integer({ min: 1, max: 30 }))).map(([key, value, ttl]) =>
    command(`put ${key} ${ttl}`, (model, { map }) => {
      const { now } = model;
      const entry = map.put(key, value, { now, ...(ttl === null ? {} : { ttlMs: ttl }) });
      model.write({ key, value, ...(ttl === null ? {} : { expiresAt: now + ttl }) });
      expect(entry).to.deep.equal(model.find(key)?.entry);
    }),
  ),
  anyKey.map((key) =>
    command(`delete ${key}`, (model, { map }) => {
      const entry = map.delete(key, { now: model.now });
      model.write({ key, value: new Uint8Array(), deleted: true });
      expect(entry).to.deep.equal(model.find(key)?.entry);
    }),
  ),
  anyKey.map((key) =>
    command(`get ${key}`, (model, { map }) => {
      const expected = model.live().find((entry) => entry.key === key);
      expect(map.get(key, { now: model.now })).to.deep.equal(expected);
      expect(map.has(key, { now: model.now })).to.equal(expected !== undefined);
    }),
  ),
  fc.tuple(fc.array(anyEntry, { maxLength: 8 }), fc.boolean()).map(([entries, rumor]) =>
    command(`merge ${entries.length} ${rumor}`, (model, { map }) => {
      const results = map.merge(entries, { now: model.now, rumor });
      expect(results).to.deep.equal(entries.map((entry) => model.merge(entry, rumor)));
    }),
  ),
  fc.integer({ min: 0, max: 20 }).map((ms) =>
    command(`wait ${ms}`, (model) => {
      model.now += ms;
    }),
  ),
  fc.constant(
    command("expire", (model, { map }) => {
      const keys = map.expire({ now: model.now }).map((entry) => entry.key);
      expect(keys.sort()).to.deep.equal(model.expire());
    }),
  ),
  fc.integer({ min: -5, max: 0 }).map((ms) =>
    command(`reap ${ms}`, (model, { map }) => {
      map.reap(stampOf(model.now + ms));
      model.reap(stampOf(model.now + ms));
    }),
  ),
  fc.constant(
    command("reopen", (_, real) => {
      real.map = new VersionedMap({ node: "m", engine: real.map.engine });
    }),
  ),
];

describe("VersionedMap and a dumb model", () => {
  it("show the same, whatever is done to both", () => {
    fc.assert(
      fc.property(fc.commands(commands, { maxCommands: 40 }), (list) => {
        const checked = function* (): Generator<Command> {
          for (const each of list) {
            yield command(String(each), (model, real) => {
              void each.run(model, real);
              compare(model, real);
            });
          }
        };
        const map = new VersionedMap({ node: "m", engine: new MemoryEngine() });
        fc.modelRun(() => ({ model: new DumbMap(), real: { map } }), checked());
      }),
      runs(120),
    );
  });
});
