import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { closeSync, cpSync, openSync, readSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freshFolder } from "./_test_utils.ts";
import { readMetaPages } from "./_meta_pages.ts";
import { openMap } from "./open_map.ts";

const child = fileURLToPath(new URL("./_cuts_child.js", import.meta.url));
const PAGE = 4096;
const KEYS = 600;

/** A store with a tree of several levels, values with pages of their own, and free pages. */
async function filledFolder(): Promise<string> {
  const folder = freshFolder();
  const map = await openMap({ folder, journalChanges: 64 });
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < KEYS; i += 1) {
      map.put(`key${i}`, new Uint8Array(i % 50 === 0 ? 20_000 : 150 + round));
      if (i % 40 === 0) await map.committed();
    }
  }
  await map.close();
  return folder;
}

/** A copy of a folder with another length of one file. */
function cutTo(folder: string, bytes: number, file = "data.mdb"): string {
  const copy = freshFolder();
  cpSync(folder, copy, { recursive: true });
  truncateSync(join(copy, file), bytes);
  return copy;
}

/** What the child says of each folder. */
function openAll(folders: readonly string[]): string[] {
  const { stdout, signal } = spawnSync(process.execPath, [child, ...folders], { encoding: "utf8" });
  expect(signal, `ended after ${stdout}`).to.equal(null);
  return stdout.trim().split("\n");
}

/** Reads or changes the number of the last page in the newer meta page. */
function lastPage(path: string, plus = 0n): bigint {
  const file = openSync(path, "r+");
  const bytes = Buffer.alloc(2 * PAGE);
  readSync(file, bytes, 0, bytes.length, 0);
  const transactions = [0, PAGE].map((at) => bytes.readBigUInt64LE(at + 24 + 128));
  const at = (transactions[0] ?? 0n) > (transactions[1] ?? 0n) ? 0 : PAGE;
  const last = bytes.readBigUInt64LE(at + 24 + 120) + plus;
  bytes.writeBigUInt64LE(last, at + 24 + 120);
  if (plus !== 0n) writeSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  return last;
}

describe("a data file that was cut", () => {
  it("is refused as damaged, wherever the cut is, and does not end the process", async () => {
    const folder = await filledFolder();
    const { size } = statSync(join(folder, "data.mdb"));
    expect(size).to.be.above(40 * PAGE);
    const cuts = [1, 100, PAGE, PAGE + 2048, 2 * PAGE, 3 * PAGE];
    for (let part = 1; part < 16; part += 1) cuts.push(Math.floor((size * part) / 16));
    const said = openAll(cuts.map((bytes) => cutTo(folder, bytes)));
    expect(said).to.deep.equal(cuts.map(() => "damaged"));
    // the last pages may be free ones
    const ends = openAll([1, PAGE, 2 * PAGE].map((less) => cutTo(folder, size - less)));
    for (const end of ends) expect(end).to.be.oneOf(["damaged", `${KEYS}`]);
    const { problem } = readMetaPages(join(cutTo(folder, 5 * PAGE), "data.mdb"));
    expect(problem).to.equal(
      `it is ${5 * PAGE} bytes long, ${size} by its meta pages, and lacks pages that it uses`,
    );
  }).timeout(60_000);

  it("is opened when it only lacks pages that are not in use", async () => {
    const folder = await filledFolder();
    const path = join(folder, "data.mdb");
    const last = lastPage(path, 7n);
    expect(statSync(path).size).to.equal(Number(last - 6n) * PAGE);
    expect(openAll([folder, folder])).to.deep.equal([`${KEYS}`, `${KEYS + 1}`]);
  }).timeout(60_000);
});

describe("the file of the lock", () => {
  it("is made anew when it was cut, and nobody holds the folder", async () => {
    const folder = await filledFolder();
    const { size } = statSync(join(folder, "owner.mdb"));
    const cuts = [0, 1, 100, PAGE, PAGE + 100];
    const folders = cuts.map((bytes) => cutTo(folder, bytes, "owner.mdb"));
    folders.push(cutTo(folder, 100, "owner.mdb-lock"), cutTo(folder, 0, "data.mdb-lock"));
    const zeros = cutTo(folder, 0, "owner.mdb");
    truncateSync(join(zeros, "owner.mdb"), size);
    expect(openAll([...folders, zeros])).to.deep.equal([...folders, zeros].map(() => `${KEYS}`));
  }).timeout(60_000);

  it("keeps others out also when it is cut while somebody holds the folder", async () => {
    const folder = freshFolder();
    const map = await openMap({ folder });
    truncateSync(join(folder, "owner.mdb"), 100);
    expect(openAll([folder])).to.deep.equal(["in-use"]);
    let refused: unknown;
    await openMap({ folder }).catch((error: unknown) => (refused = error));
    expect((refused as { code?: string }).code).to.equal("in-use");
    expect(openAll([folder])).to.deep.equal(["in-use"]);
    await map.close();
    expect(openAll([folder])).to.deep.equal(["0"]);
  }).timeout(60_000);
});
