import { VersionedMap } from "@dnd/store";
import { expect } from "chai";
import { describe, it } from "mocha";
import { DiskEngine, newDisk, type SimulatedDisk } from "./disk_engine.ts";

const NOW = 1_800_000_000_000;

function open(disk: SimulatedDisk): { map: VersionedMap; commit: () => void } {
  const due: (() => void)[] = [];
  const engine = new DiskEngine({ disk, schedule: (run) => due.push(run) });
  const map = new VersionedMap({ node: "a", engine });
  return { map, commit: () => due.splice(0).forEach((run) => run()) };
}

describe("DiskEngine", () => {
  it("forgets what was not committed, and keeps the rest over many restarts", () => {
    const disk = newDisk();
    let expected: [string, number][] = [];
    for (let start = 0; start < 6; start += 1) {
      const { map, commit } = open(disk);
      const held = map.entries({ now: NOW }).map(({ key, value }) => [key, value.length]);
      expect(held).to.deep.equal(expected);
      const bytes = expected.reduce((sum, [, length]) => sum + length, 0);
      // Once the disk shared its entries with the map: those of an older process turned up again.
      expect(map.statistics()).to.include({ live: expected.length, valueBytes: bytes });
      const put = (i: number): void => {
        map.put(`key ${String(i % 30).padStart(2, "0")}`, new Uint8Array(start + i), { now: NOW });
      };
      for (let i = 0; i < 250; i += 1) put(i);
      commit();
      expected = map.entries({ now: NOW }).map(({ key, value }) => [key, value.length]);
      for (let i = 250; i < 400; i += 1) put(i); // the process ends before they are durable
    }
  });
});
