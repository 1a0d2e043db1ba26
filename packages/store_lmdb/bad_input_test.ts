import { InputRangeError, InputTypeError, StorageError, VersionedMap } from "@dnd/store";
import { expect } from "chai";
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { crc32 } from "node:zlib";
import { codeOf, freshFolder, rejection, utf8 } from "./_test_utils.ts";
import { openDataFolder } from "./data_folder.ts";
import { openEngine } from "./open_engine.ts";
import { openMap } from "./open_map.ts";

/** What is wrong with options beside the folder, and what the error says of it. */
const wrongOptions: readonly (readonly [object, string])[] = [
  [{ durabilty: "async" }, 'Unknown option "durabilty"; there are folder,'],
  [{ durability: "x" }, 'Invalid durability: "x", wanted "sync" or "async"'],
  [{ maxPendingBytes: NaN }, "Invalid maxPendingBytes: NaN, wanted a whole number from 1"],
  [{ maxPendingBytes: "1" }, 'Invalid maxPendingBytes: "1"'],
  [{ reserveBytes: -1 }, "Invalid reserveBytes: -1, wanted a whole number from 0"],
  [{ journalChanges: 0 }, "Invalid journalChanges: 0"],
  [{ journalIdleMs: NaN }, "Invalid journalIdleMs: NaN"],
  [{ commitDeadlineMs: 2 ** 31 }, "Invalid commitDeadlineMs: 2147483648, wanted milliseconds"],
  [{ closesFolder: 1 }, "Invalid closesFolder: 1, wanted a boolean"],
];

const wrongFolders: readonly unknown[] = [undefined, null, 7, "", "a\0b", {}];

function isInputError(error: unknown): boolean {
  return error instanceof InputTypeError || error instanceof InputRangeError;
}

/** The promise is rejected with an error of the input that says so. */
async function expectWrong(promise: Promise<unknown>, text: string): Promise<void> {
  const error = await rejection(promise);
  expect(isInputError(error), String(error)).to.equal(true);
  expect(codeOf(error)).to.equal("invalid-argument");
  expect((error as Error).message).to.include(text);
}

describe("bad input to the engine", () => {
  it("is named before anything is opened or made: options", async () => {
    const folder = join(freshFolder(), "data");
    for (const [options, text] of wrongOptions) {
      await expectWrong(openEngine({ folder, ...options }), text);
      await expectWrong(openMap({ folder, ...options }), text);
    }
    await expectWrong(openMap({ folder, maxDrift: 7 } as never), 'Unknown option "maxDrift"');
    await expectWrong(openMap(undefined as never), "Invalid options: undefined");
    await expectWrong(openEngine(null as never), "Invalid options: null");
    expect(existsSync(folder)).to.equal(false);
  });

  it("is named before anything is opened or made: folders and clusters", async () => {
    const before = readdirSync(process.cwd());
    for (const folder of wrongFolders as never[]) {
      await expectWrong(openMap({ folder }), "Invalid folder: ");
      await expectWrong(openEngine({ folder }), "Invalid folder: ");
      await expectWrong(openDataFolder(folder), "Invalid folder: ");
    }
    expect(readdirSync(process.cwd())).to.deep.equal(before);
    const folder = join(freshFolder(), "data");
    for (const cluster of [7, null, "", "ö".repeat(33)] as never[]) {
      await expectWrong(openDataFolder(folder, { cluster }), "Invalid cluster: ");
    }
    await expectWrong(openDataFolder(folder, { claster: "dnd" } as never), '"claster"');
    expect(existsSync(folder)).to.equal(false);
    const opened = await openDataFolder(folder, { cluster: "ö".repeat(32) });
    await opened.close();
  });

  it("closes a folder that it opened when the map's own options are wrong", async () => {
    const folder = freshFolder();
    await expectWrong(openMap({ folder, maxDriftMs: -1 }), "maxDriftMs");
    const map = await openMap({ folder });
    await map.close();
  });

  it("is a second map over one engine", async () => {
    const engine = await openEngine({ folder: freshFolder() });
    const map = new VersionedMap({ node: "a", engine, clock: Date.now });
    expect(() => new VersionedMap({ node: "b", engine })).to.throw(InputTypeError, "already");
    map.put("a", utf8("1"));
    await map.close();
  });

  it("is a watch of a map that was closed", async () => {
    const map = await openMap({ folder: freshFolder() });
    await map.close();
    expect(() => map.watch())
      .to.throw(StorageError)
      .with.property("code", "closed");
  });

  it("is a copy to nowhere, or into the data folder itself", async () => {
    const folder = freshFolder();
    const map = await openMap({ folder });
    for (const target of [undefined, 7, "", "\0"] as never[]) {
      await expectWrong(map.engine.copy?.(target) ?? Promise.resolve(), "Invalid folder: ");
    }
    for (const target of [folder, join(folder, "sub"), join(folder, "..x")]) {
      const error = await rejection(map.engine.copy?.(target) ?? Promise.resolve());
      expect(codeOf(error), target).to.equal("not-empty");
    }
    expect(existsSync(join(folder, "sub"))).to.equal(false);
    await map.engine.copy?.(join(freshFolder(), "beside"));
    await map.close();
  });
});

describe("a data folder that was closed", () => {
  it("is not changed any more: another process may own it (rule 19)", async () => {
    const path = freshFolder();
    const folder = await openDataFolder(path);
    const { id } = folder;
    await folder.close();
    const identity = readFileSync(join(path, "identity.json"), "utf8");
    for (const change of [
      () => folder.renew(),
      () => folder.raiseGeneration(),
      () => folder.markBackup(freshFolder()),
    ]) {
      let error: unknown;
      try {
        change();
      } catch (thrown) {
        error = thrown;
      }
      expect(codeOf(error)).to.equal("closed");
    }
    expect(readFileSync(join(path, "identity.json"), "utf8")).to.equal(identity);
    expect(folder.id).to.equal(id);
  });
});

describe("identity.json", () => {
  it("of another shape is damage, whatever its checksum says", async () => {
    const path = freshFolder();
    await (await openMap({ folder: path })).close();
    const [body = ""] = readFileSync(join(path, "identity.json"), "utf8").split("\n");
    const good = JSON.parse(body) as Record<string, unknown>;
    const bodies = [
      ...["null", "7", '"a"', "{", "nojson"],
      ...[{ id: 7 }, { id: "../x" }, { generation: "x" }, { generation: 1.5 }, { cluster: 7 }].map(
        (change) => JSON.stringify({ ...good, ...change }),
      ),
    ];
    for (const text of bodies) {
      const copy = freshFolder();
      cpSync(path, copy, { recursive: true });
      const check = crc32(text).toString(16).padStart(8, "0");
      writeFileSync(join(copy, "identity.json"), `${text}\n${check}\n`);
      expect(codeOf(await rejection(openDataFolder(copy))), text).to.equal("damaged");
    }
  });
});
