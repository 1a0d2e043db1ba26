import { DamagedError } from "@dnd/store";
import type { VersionedMap } from "@dnd/store";
import { expect } from "chai";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { schemaRow } from "./_data_file.ts";
import { type Environment, openEnvironment } from "./_environment.ts";
import {
  OLD_LAYOUT,
  TAG_DAMAGED,
  TAG_ENTRY,
  TAG_JOURNAL,
  TAG_STATE,
  headRow,
  plainRow,
  textRow,
} from "./_rows.ts";
import { decodeState, encodeState } from "./_state_row.ts";
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
import { openMap } from "./open_map.ts";
import { Scrub } from "./scrub.ts";

const NOW = 1_800_000_000_000;

/** The files as a crash would leave them now. */
function crashed(folder: string): string {
  const copy = freshFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
}

/** A folder with five commits in its journal, as a crash leaves it. */
async function withJournal(): Promise<{ folder: string; digest: Uint8Array }> {
  const folder = freshFolder();
  const map = await openMap({ folder, node: "a", journalIdleMs: Infinity });
  for (let i = 0; i < 5; i += 1) {
    map.put(`key${i}`, utf8(`value ${i}`), { now: NOW });
    map.put("again", utf8(`number ${i}`), { now: NOW });
    await map.committed();
  }
  const digest = map.digest();
  const copy = crashed(folder);
  await map.close();
  return { folder: copy, digest };
}

function journalRows(environment: Environment): { key: Buffer; value: Buffer }[] {
  const range = { from: plainRow(TAG_JOURNAL), to: plainRow(TAG_JOURNAL + 1) };
  return Array.from(environment.range(range), ({ key, value }) => ({
    key: Buffer.from(key),
    value: Buffer.from(value),
  }));
}

/** Flips a bit in a row of the journal. */
async function flipJournal(folder: string, nth: number, at: number): Promise<void> {
  await tamper(folder, (writer, environment) => {
    const { key, value } = journalRows(environment)[nth] ?? {};
    if (key === undefined || value === undefined) throw new Error("no such row");
    const offset = at < 0 ? value.length + at : at;
    value[offset] = (value[offset] ?? 0) ^ 4;
    writer.put(key, value);
  });
}

async function rowsLeft(folder: string): Promise<{ journal: number; entries: number }> {
  const environment = await openEnvironment(join(folder, "data.mdb"));
  const entries = [...environment.range({ from: plainRow(TAG_ENTRY), to: plainRow(TAG_ENTRY + 1) })]
    .length;
  const journal = journalRows(environment).length;
  await environment.close();
  return { journal, entries };
}

function listed(map: VersionedMap): string[] {
  return map.entries({ now: NOW }).map(({ key, value }) => `${key} = ${text(value)}`);
}

describe("the journal", () => {
  const all = ["again = number 4", ...[0, 1, 2, 3, 4].map((i) => `key${i} = value ${i}`)];

  it("gives everything back after a crash, and is empty after a close", async () => {
    const { folder, digest } = await withJournal();
    expect(await rowsLeft(folder)).to.deep.equal({ journal: 5, entries: 0 });
    const map = await openMap({ folder, node: "a" });
    expect(listed(map)).to.deep.equal(all);
    expect(map.digest()).to.deep.equal(digest);
    expect(map.engine.changes(0, 100).map(({ key }) => key)).to.deep.equal([
      ...["key0", "key1", "key2", "key3", "key4", "again"],
    ]);
    await map.close();
    expect(await rowsLeft(folder)).to.deep.equal({ journal: 0, entries: 6 });
  });

  it("has no row of more than a page, but for a change that has more", async () => {
    const folder = freshFolder();
    const map = await openMap({ folder, node: "a", journalIdleMs: Infinity });
    for (let commit = 0; commit < 3; commit += 1) {
      for (let i = 0; i < 100; i += 1)
        map.put(`key${commit}/${i}`, utf8("x".repeat(i)), { now: NOW });
      map.put(`large${commit}`, utf8("x".repeat(9_000)), { now: NOW });
      map.put("\u{1f600}".repeat(255), utf8(`${commit}`), { now: NOW });
      await map.committed();
    }
    const copy = crashed(folder);
    const environment = await openEnvironment(join(copy, "data.mdb"));
    const lengths = journalRows(environment).map(({ value }) => value.length);
    await environment.close();
    expect(lengths.filter((length) => length > 4_064)).to.have.length(3);
    expect(lengths).to.have.length.within(15, 40);
    const again = await openMap({ folder: copy, node: "a", journalIdleMs: Infinity });
    expect(listed(again)).to.deep.equal(listed(map));
    again.put("later", utf8("1"), { now: NOW }); // its row is behind those that were found
    await again.committed();
    const twice = crashed(copy);
    const digest = again.digest();
    await again.close();
    const third = await openMap({ folder: twice, node: "a" });
    expect(third.digest()).to.deep.equal(digest);
    await third.close();
    await map.close();
  });

  it("is moved to the rows in pieces, which a crash between them does not show", async () => {
    const folder = freshFolder();
    const map = await openMap({ folder, node: "a", journalChanges: 40, journalIdleMs: Infinity });
    const seen = new Set<string>();
    for (let i = 0; i < 60; i += 1) {
      map.put(`key${i}`, utf8("old"), { now: NOW });
      map.put(`key${i}`, utf8(`value ${i}`), { now: NOW });
      if (i > 30) map.delete(`key${i - 30}`, { now: NOW });
      await map.committed();
      if (i % 4 !== 0) continue;
      const copy = crashed(folder);
      const { journal, entries } = await rowsLeft(copy);
      seen.add(journal > 0 && entries > 0 ? "both" : journal > 0 ? "journal" : "rows");
      const engine = await openEngine({ folder: copy, journalChanges: 7 });
      expect(engine.changes(0, 1_000)).to.deep.equal(map.engine.changes(0, 1_000));
      expect([...engine.heads(0, 2 ** 32)].length).to.equal(
        [...map.engine.heads(0, 2 ** 32)].length,
      );
      await engine.close();
      const again = await openMap({ folder: copy, node: "a" });
      expect(listed(again)).to.deep.equal(listed(map));
      expect(again.digest()).to.deep.equal(map.digest());
      const scrub = new Scrub(again, again.engine as LmdbEngine);
      while (scrub.step(100_000).rounds === 0);
      expect(scrub.progress).to.include({ repaired: 0, damaged: 0 });
      expect(again.statistics().correctedLeaves).to.equal(0);
      await again.close();
    }
    expect([...seen].sort()).to.deep.equal(["both", "journal"]);
    await map.close();
  }).timeout(60_000);

  it("is moved by itself when nothing is written any more", async () => {
    const folder = freshFolder();
    const map = await openMap({ folder, node: "a", journalIdleMs: 20 });
    for (let i = 0; i < 1_500; i += 1) map.put(`key${i}`, utf8("1"), { now: NOW });
    const waiting = (): number => Number(map.engine.statistics().pendingKeys);
    expect(waiting()).to.equal(1_500);
    await map.committed();
    await until(() => waiting() === 0);
    expect(map.get("key7", { now: NOW })).not.to.equal(undefined);
    await map.close();
  });

  it("holds large values nowhere but in their rows", async () => {
    const folder = freshFolder();
    const map = await openMap({ folder, node: "a" });
    map.put("small", utf8("1"), { now: NOW });
    await map.committed();
    map.put("large", new Uint8Array(100_000), { now: NOW });
    await map.committed();
    const copy = crashed(folder);
    expect(await rowsLeft(copy)).to.deep.equal({ journal: 0, entries: 2 });
    await map.close();
  });

  it("gives a flipped bit in a record the name of its key, and keeps the rest", async () => {
    const { folder } = await withJournal();
    await flipJournal(folder, 2, 8 + 64 + 3); // in the first record of the third commit: key2
    const map = await openMap({ folder, node: "a" });
    expect(() => map.get("key2")).to.throw(DamagedError, "key2");
    expect(listed(map)).to.deep.equal(all.filter((line) => !line.startsWith("key2 ")));
    expect(map.damaged()).to.deep.equal(["key2"]);
    await map.close();
    const again = await openMap({ folder, node: "a" });
    expect(() => again.get("key2")).to.throw(DamagedError, "key2");
    again.put("key2", utf8("mended"), { now: NOW });
    expect(again.damaged()).to.deep.equal([]);
    await again.close();
  });

  it("never shows the value before a damaged one", async () => {
    const { folder } = await withJournal();
    const { value } = await readJournalRow(folder, 4);
    await flipJournal(folder, 4, value.indexOf("number 4"));
    const map = await openMap({ folder, node: "a" });
    expect(() => map.get("again")).to.throw(DamagedError, "again");
    await map.close();
  });

  it("that cannot be read, or lacks a row, is a folder that is refused", async () => {
    const { folder: flipped } = await withJournal();
    await flipJournal(flipped, 1, -1); // the last letter of a key in the directory
    expect(codeOf(await rejection(openEngine({ folder: flipped })))).to.equal("damaged");

    const { folder: shortened } = await withJournal();
    await tamper(shortened, (writer, environment) => {
      writer.remove(journalRows(environment)[3]?.key ?? "");
    });
    const error = await rejection(openEngine({ folder: shortened }));
    expect(codeOf(error)).to.equal("damaged");
    expect((error as Error).message).to.contain("4 rows of its journal are left of 5");
  });

  it("takes the rows of what it replaces away, marks of damaged keys too", async () => {
    const { folder } = await withJournal();
    await tamper(folder, (writer) => {
      writer.put(textRow(TAG_DAMAGED, "key1"), Buffer.from("mark"));
    });
    const map = await openMap({ folder, node: "a" });
    expect(text(map.get("key1", { now: NOW })?.value)).to.equal("value 1");
    await map.close();
    const again = await openMap({ folder, node: "a" });
    expect(again.damaged()).to.deep.equal([]);
    await again.close();
  });
});

async function readJournalRow(folder: string, nth: number): Promise<{ value: Buffer }> {
  const environment = await openEnvironment(join(folder, "data.mdb"));
  const { value = Buffer.alloc(0) } = journalRows(environment)[nth] ?? {};
  await environment.close();
  return { value };
}

describe("a folder of layout 1", () => {
  it("is made one of layout 2 when it is opened, with the heads that its index lacked", async () => {
    const folder = freshFolder();
    const map = await openMap({ folder, node: "a" });
    for (let i = 0; i < 20; i += 1) map.put(`key${i}`, utf8(`value ${i}`), { now: NOW });
    const heads = [...map.engine.heads(0, 2 ** 32)];
    const digest = map.digest();
    await map.close();
    await tamper(folder, (writer, environment) => {
      const { row, value } = schemaRow(OLD_LAYOUT);
      writer.put(row, value);
      for (const { key, keyHash } of heads) {
        if (Number(key.slice(3)) >= 12) writer.remove(headRow(keyHash, key));
      }
      const stateRow = plainRow(TAG_STATE);
      const state = decodeState(stateRow, copyOf(environment, stateRow));
      if (state === undefined) throw new Error("no state");
      const transaction = environment.transaction + 1;
      writer.put(stateRow, encodeState(stateRow, { ...state, transaction, journalRows: 12 }));
    });
    setLayout(folder, OLD_LAYOUT);
    for (let opened = 0; opened < 2; opened += 1) {
      const again = await openMap({ folder, node: "a" });
      expect(again.digest()).to.deep.equal(digest);
      expect([...again.engine.heads(0, 2 ** 32)].length).to.equal(20);
      const scrub = new Scrub(again, again.engine as LmdbEngine);
      while (scrub.step(100_000).rounds === 0);
      expect(scrub.progress).to.include({ repaired: 0, damaged: 0 });
      await again.close();
      expect(readFileSync(join(folder, "identity.json"), "utf8")).to.contain('"layout":2');
    }
  });
});

function setLayout(folder: string, layout: number): void {
  const path = join(folder, "identity.json");
  const [body = ""] = readFileSync(path, "utf8").split("\n");
  const changed = body.replace(/"layout":\d+/, `"layout":${layout}`);
  writeFileSync(path, `${changed}\n${crc32(changed).toString(16).padStart(8, "0")}\n`);
}
