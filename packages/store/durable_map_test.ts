// What a map asks of an engine that keeps things: the ceiling, refusals before the stamp, damaged
// records, wrong sums. The engine here is the one in memory, made to look like that.
import { type Batch, DamagedError, type EngineListener, type EngineState } from "./engine.ts";
import { NOW, STAMP, bytesOf, textOf } from "./_test_utils.ts";
import { MemoryEngine } from "./memory_engine.ts";
import { STAMPS_PER_MS } from "./limits.ts";
import { stampOf } from "./version.ts";
import { StorageError } from "./errors.ts";
import type { StoredEntry } from "./stored_entry.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";

const LEAD = 250 * STAMPS_PER_MS;

class Disk extends MemoryEngine {
  durableCeiling = 0;
  waitingCeiling = 0;
  raised: number[] = [];
  full = false;
  flipped: string | undefined;
  wrongLeaf: number | undefined;

  override get durable(): boolean {
    return true;
  }

  override get ceiling(): number {
    return this.durableCeiling;
  }

  override open(listener: EngineListener): EngineState {
    const opened = super.open(listener);
    if (this.wrongLeaf !== undefined) opened.leafSums[2 * this.wrongLeaf] = 12345;
    return { ...opened, ceiling: this.durableCeiling };
  }

  override admit(): void {
    super.admit();
    if (this.full) throw new StorageError("storage-full", "Cannot write: 0 bytes are free");
  }

  override raiseCeiling(stamp?: number): void {
    this.raised.push(stamp ?? 0);
    this.durableCeiling = Math.max(this.durableCeiling, stamp ?? 0);
  }

  override write(batch: Batch): void {
    super.write(batch);
    this.waitingCeiling = batch.ceiling;
    if (batch.lowerCeiling === true) this.durableCeiling = batch.ceiling;
  }

  override get(key: string): StoredEntry | undefined {
    const entry = super.get(key);
    if (entry === undefined || key !== this.flipped) return entry;
    throw new DamagedError(key, { head: entry, marked: false });
  }

  commit(): void {
    this.durableCeiling = Math.max(this.durableCeiling, this.waitingCeiling);
  }
}

function newMap(disk = new Disk()): { map: VersionedMap; disk: Disk } {
  return { map: new VersionedMap({ node: "a", engine: disk }), disk };
}

describe("VersionedMap on an engine that keeps things", () => {
  it("issues no stamp at or above the durable ceiling (rule 7)", () => {
    const { map, disk } = newMap();
    for (let i = 0; i < 400; i += 1) {
      const { version } = map.put(`k${i}`, bytesOf("x"), { now: NOW + 7 * i });
      expect(version.time).to.be.below(disk.ceiling);
      if (i % 10 === 0) disk.commit();
    }
    expect(disk.raised).to.deep.equal([STAMP + LEAD]); // the first write; commits did the rest
  });

  it("lifts it with each batch to the clock and 250 ms, and at once after a pause", () => {
    const { map, disk } = newMap();
    map.put("a", bytesOf("x"), { now: NOW });
    expect(disk.waitingCeiling).to.equal(STAMP + LEAD);
    map.put("b", bytesOf("x"), { now: NOW + 60_000 });
    expect(disk.raised.at(-1)).to.equal(stampOf(NOW + 60_000) + LEAD);
    map.setMeta("heard", bytesOf("x"), { now: NOW + 120_000 });
    expect(disk.waitingCeiling).to.equal(stampOf(NOW + 120_000) + LEAD);
  });

  it("begins again at the ceiling or the wall clock, whichever is later", () => {
    const { map, disk } = newMap();
    const { version } = map.put("a", bytesOf("x"), { now: NOW });
    const back = newMap(disk).map.put("b", bytesOf("x"), { now: NOW - 5000 });
    expect(back.version.time)
      .to.be.above(STAMP + LEAD - 1)
      .and.above(version.time);
    const later = newMap(disk).map.put("c", bytesOf("x"), { now: NOW + 5000 });
    expect(later.version.time).to.equal(stampOf(NOW + 5000));
  });

  it("reads its clock below the ceiling, so that the promise holds after a crash", () => {
    const { map, disk } = newMap();
    map.put("a", bytesOf("x"), { now: NOW });
    const reading = map.clock({ now: NOW + 60_000 });
    expect(reading).to.be.below(disk.ceiling).and.at.least(STAMP);
    const after = newMap(disk).map.put("b", bytesOf("x"), { now: NOW });
    expect(after.version.time).to.be.above(reading);
  });

  it("sets the ceiling back with the clock (rule 8)", () => {
    const { map, disk } = newMap();
    map.put("a", bytesOf("x"), { now: NOW + 1e9 });
    disk.commit();
    map.restamp({ now: NOW });
    expect(disk.ceiling).to.equal(STAMP + 1 + LEAD);
    expect(map.put("b", bytesOf("x"), { now: NOW }).version.time).to.equal(STAMP + 2);
  });

  it("refuses before it stamps when the disk is full, and goes on when there is room (rule 17)", () => {
    const { map, disk } = newMap();
    map.put("a", bytesOf("x"), { now: NOW });
    disk.full = true;
    const entry = { key: "b", value: bytesOf("y"), version: { time: STAMP + 99, node: "b" } };
    for (const write of [
      () => map.put("b", bytesOf("y"), { now: NOW }),
      () => map.delete("a", { now: NOW }),
      () => map.merge([entry], { now: NOW }),
      () => map.setMeta("heard", bytesOf("x")),
    ]) {
      expect(write).to.throw(StorageError, "0 bytes are free").with.include({
        code: "storage-full",
        outcome: "not-applied",
      });
    }
    expect(textOf(map.get("a", { now: NOW })?.value)).to.equal("x");
    expect(map.counter).to.equal(1);
    disk.full = false;
    expect(map.put("b", bytesOf("y"), { now: NOW }).version.time).to.equal(STAMP + 1);
  });

  it("takes a damaged record out of the digest, names it, and lets it be mended (rule 6)", () => {
    const { map, disk } = newMap();
    const whole = new VersionedMap({ node: "b" });
    const entry = map.put("hurt", bytesOf("x"), { now: NOW });
    whole.merge([entry, map.put("fine", bytesOf("x"), { now: NOW })], { now: NOW });
    disk.flipped = "hurt";
    expect(() => map.get("hurt", { now: NOW }))
      .to.throw(DamagedError, '"hurt"')
      .with.include({ code: "damaged", key: "hurt" });
    expect(map.damaged()).to.deep.equal(["hurt"]);
    expect(() => map.get("hurt", { now: NOW })).to.throw(DamagedError);
    expect(map.digest()).to.not.deep.equal(whole.digest());
    expect(map.entries({ now: NOW }).map(({ key }) => key)).to.deep.equal(["fine"]);
    // it is never read as reaped: a rumor below the horizon mends it
    map.reap(stampOf(NOW + 1));
    disk.flipped = undefined;
    expect(map.merge([entry], { now: NOW, rumor: true })).to.deep.equal(["applied"]);
    expect(map.digest()).to.deep.equal(whole.digest());
    expect(map.damaged()).to.deep.equal([]);
  });

  it("lets a write mend a damaged record, too", () => {
    const { map, disk } = newMap();
    map.put("hurt", bytesOf("x"), { now: NOW });
    disk.flipped = "hurt";
    map.put("hurt", bytesOf("y"), { now: NOW });
    disk.flipped = undefined;
    expect(textOf(map.get("hurt", { now: NOW })?.value)).to.equal("y");
    expect(map.statistics()).to.include({ live: 1, damaged: 0 });
  });

  it("corrects a leaf sum that is wrong when the leaf is listed, and counts it (rule 6)", () => {
    const disk = new Disk();
    const before = newMap(disk).map;
    before.put("k", bytesOf("x"), { now: NOW });
    const leaf = (before.peek("k")?.keyHash ?? 0) >>> 17;
    disk.wrongLeaf = leaf;
    const { map } = newMap(disk);
    expect(map.digest()).to.not.deep.equal(before.digest());
    map.digestEntries(3, leaf);
    expect(map.digest()).to.deep.equal(before.digest());
    expect(map.statistics().correctedLeaves).to.equal(1);
    map.digestEntries(3, leaf);
    expect(map.statistics().correctedLeaves).to.equal(1);
  });
});
