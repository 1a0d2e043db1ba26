import { DamagedError, VersionedMap } from "@dnd/store";
import { StoredEntry, hashContent, hashKey, lastHash } from "@dnd/store/engine";
import { expect } from "chai";
import { join } from "node:path";
import { type Environment, openEnvironment } from "./_environment.ts";
import { recordBytes, writeRecord } from "./_record.ts";
import { TAG_ENTRY, TAG_EXPIRY, headRow, keyChecksum, numberRow, textRow } from "./_rows.ts";
import {
  codeOf,
  copyOf,
  freshFolder,
  rejection,
  tamper,
  text,
  until,
  utf8,
} from "./_test_utils.ts";
import type { LmdbEngine } from "./lmdb_engine.ts";
import { openEngine } from "./open_engine.ts";
import { Scrub } from "./scrub.ts";

const NOW = 1_800_000_000_000;

async function openMapIn(folder: string): Promise<{ map: VersionedMap; engine: LmdbEngine }> {
  const engine = await openEngine({ folder });
  return { engine, map: new VersionedMap({ node: "a", engine, clock: () => NOW + 1e6 }) };
}

async function fill(folder: string): Promise<void> {
  const { map } = await openMapIn(folder);
  for (let i = 0; i < 40; i += 1) map.put(`key${i}`, utf8(`value ${i}`), { now: NOW, ttlMs: 1e9 });
  map.put("long", new Uint8Array(10_000), { now: NOW });
  await map.close();
}

function flipped(environment: Environment, row: Uint8Array): Buffer {
  const value = copyOf(environment, row);
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 4;
  return value;
}

function headOf(key: string): Buffer {
  hashKey(key);
  return headRow(lastHash[0] ?? 0, key);
}

function scrubOnce(map: VersionedMap, engine: LmdbEngine): Scrub {
  const scrub = new Scrub(map, engine);
  for (let i = 0; scrub.step(1_000).rounds === 0 && i < 1_000; i += 1);
  return scrub;
}

describe("Scrub", () => {
  it("finds nothing to do in a store that is whole", async () => {
    const folder = freshFolder();
    await fill(folder);
    const { map, engine } = await openMapIn(folder);
    map.put("waiting", utf8("1"));
    const { repaired, damaged, checked } = scrubOnce(map, engine).progress;
    expect([repaired, damaged]).to.deep.equal([0, 0]);
    expect(checked).to.be.greaterThan(32_768 + 4 * 40);
    expect(map.statistics().correctedLeaves).to.equal(0);
    await map.close();
  });

  it("marks damaged records, takes them out of the digest, and a later put mends them (rule 6)", async () => {
    const folder = freshFolder();
    await fill(folder);
    await tamper(folder, (writer, environment) => {
      const row = textRow(TAG_ENTRY, "key7");
      writer.put(row, flipped(environment, row));
      writer.remove("key8"); // a page that hides a record
    });
    const { map, engine } = await openMapIn(folder);
    const before = map.digest();
    expect(scrubOnce(map, engine).progress.damaged).to.equal(2);
    expect(map.damaged()).to.deep.equal(["key7", "key8"]);
    expect(map.digest()).not.to.deep.equal(before);
    expect(map.statistics().correctedLeaves).to.equal(0, "the digest had left them out already");
    for (const key of ["key7", "key8"]) expect(() => map.get(key)).to.throw(DamagedError, key);
    await map.close();

    const again = await openMapIn(folder);
    expect(again.map.damaged()).to.deep.equal(["key7", "key8"]);
    again.map.put("key7", utf8("new"));
    expect(text(again.map.get("key7")?.value)).to.equal("new");
    expect(again.map.damaged()).to.deep.equal(["key8"]);
    await again.map.close();
  });

  it("finds a long value that is not what its content hash says", async () => {
    const folder = freshFolder();
    await fill(folder);
    await tamper(folder, (writer, environment) => {
      const row = textRow(TAG_ENTRY, "long");
      const value = new Uint8Array(10_000).fill(1);
      hashKey("long");
      const keyHash = lastHash[0] ?? 0;
      hashContent({ value: new Uint8Array(10_000) });
      const wrong = new StoredEntry(
        { key: "long", value, version: { time: 1, node: "a" } },
        {
          ...{ counter: 41, keyHash, stripped: false },
          ...{ hashHigh: lastHash[0] ?? 0, hashLow: lastHash[1] ?? 0 },
          ...{ fingerprintHigh: 1, fingerprintLow: 2 },
        },
      );
      const record = Buffer.alloc(recordBytes(wrong));
      writeRecord(wrong, keyChecksum(row, 0, row.length), record);
      writer.put(row, record);
      expect(environment.transaction).to.be.greaterThan(0);
    });
    const { map, engine } = await openMapIn(folder);
    expect(map.get("long")?.value.length).to.equal(10_000); // its CRC-32 is right
    scrubOnce(map, engine);
    expect(() => map.get("long")).to.throw(DamagedError);
    await map.close();
  });

  it("makes index rows again, and takes those away that belong to nothing", async () => {
    const folder = freshFolder();
    await fill(folder);
    const { map: whole } = await openMapIn(folder);
    const digest = whole.digest();
    const counter = whole.peek("key5")?.counter ?? 0;
    await whole.close();
    await tamper(folder, (writer, environment) => {
      writer.put(headOf("key3"), flipped(environment, headOf("key3")));
      writer.remove(headOf("key4"));
      writer.remove(numberRow(0x12, counter));
      writer.put(headRow(77, "nobody"), copyOf(environment, headOf("key5")));
      writer.put(numberRow(TAG_EXPIRY, 5, "key6"), Buffer.from("????"));
    });
    const { map, engine } = await openMapIn(folder);
    const { repaired, damaged } = scrubOnce(map, engine).progress;
    expect([repaired, damaged]).to.deep.equal([5, 0]);
    await map.committed();
    expect(scrubOnce(map, engine).progress.repaired).to.equal(0);
    expect(map.engine.changes(0, 100).length).to.equal(41);
    expect(map.digest()).to.deep.equal(digest);
    expect(
      map.digestEntries(3, headOf("key4").readUInt32BE(1) >>> 17).map(({ key }) => key),
    ).to.include("key4");
    await map.close();
  });

  it("runs by itself when it is started, and stops when the map is closed", async () => {
    const folder = freshFolder();
    await fill(folder);
    const { map, engine } = await openMapIn(folder);
    const scrub = new Scrub(map, engine);
    scrub.start({ pauseMs: 1, sliceRows: 20_000 });
    await until(() => scrub.progress.rounds > 0);
    await map.close();
    await until(() => codeOf(stepError(scrub)) === "closed");
    scrub.stop();
  });

  it("refuses a file whose state does not belong to its last transaction", async () => {
    const folder = freshFolder();
    await fill(folder);
    const environment = await openEnvironment(join(folder, "data.mdb"));
    await environment.commit((writer) => {
      writer.put(textRow(TAG_ENTRY, "x"), Buffer.from("x"));
    });
    await environment.close();
    const error = await rejection(openEngine({ folder }));
    expect(codeOf(error)).to.equal("damaged");
    expect((error as Error).message).to.contain("Restore a backup, or start with an empty folder");
  });
});

function stepError(scrub: Scrub): unknown {
  try {
    scrub.step();
    return undefined;
  } catch (error) {
    return error;
  }
}
