import { expect } from "chai";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { codeOf, freshFolder, rejection, text, utf8 } from "./_test_utils.ts";
import { openDataFolder } from "./data_folder.ts";
import { openMap } from "./open_map.ts";

const holder = fileURLToPath(new URL("./_holder_child.js", import.meta.url));

interface Holder {
  readonly child: ChildProcess;
  readonly said: string;
}

/** Starts a process that opens the folder, and waits for what it says. */
async function hold(folder: string, namespace = false): Promise<Holder> {
  const child = namespace
    ? spawn("unshare", [
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        process.execPath,
        holder,
        folder,
      ])
    : spawn(process.execPath, [holder, folder]);
  const lines = createInterface({ input: child.stdout });
  const [said = ""] = await Promise.race([
    new Promise<string[]>((resolve) => lines.once("line", (line) => resolve([line]))),
    new Promise<string[]>((resolve) => child.once("exit", () => resolve(["ended"]))),
  ]);
  return { child, said };
}

async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

describe("openDataFolder()", () => {
  it("makes an id of 16 random bytes, keeps it, and raises the generation at each start", async () => {
    const path = join(freshFolder(), "deep", "data");
    const first = await openDataFolder(path, { cluster: "dnd" });
    expect(first.id).to.match(/^[0-9a-f]{32}$/);
    expect([first.generation, first.newIdReason, first.cluster]).to.deep.equal([1, "new", "dnd"]);
    await first.close();
    const second = await openDataFolder(path);
    expect([second.id, second.generation]).to.deep.equal([first.id, 2]);
    expect([second.newIdReason, second.cluster]).to.deep.equal([undefined, "dnd"]);
    second.raiseGeneration(7);
    await second.close();
    const third = await openDataFolder(path);
    expect(third.generation).to.equal(9);
    third.renew();
    expect([third.id === first.id, third.generation, third.newIdReason]).to.deep.equal([
      false,
      1,
      "copy",
    ]);
    await third.close();
  });

  it("refuses the folder of another cluster, and changes nothing in it", async () => {
    const path = freshFolder();
    await (await openDataFolder(path, { cluster: "prod" })).close();
    const before = readFileSync(join(path, "identity.json"), "utf8");
    const error = await rejection(openDataFolder(path, { cluster: "staging" }));
    expect(codeOf(error)).to.equal("cluster");
    expect((error as Error).message).to.contain('it belongs to cluster "prod", not to "staging"');
    expect(readFileSync(join(path, "identity.json"), "utf8")).to.equal(before);
  });

  it("refuses a layout, hash algorithm or partition level that it does not know", async () => {
    for (const [name, value] of [
      ["layout", 3],
      ["algorithm", 9],
      ["partitionLevel", 3],
    ] as const) {
      const path = freshFolder();
      await (await openDataFolder(path)).close();
      const [body = ""] = readFileSync(join(path, "identity.json"), "utf8").split("\n");
      const changed = JSON.stringify({ ...(JSON.parse(body) as object), [name]: value });
      const check = crc32(changed).toString(16).padStart(8, "0");
      writeFileSync(join(path, "identity.json"), `${changed}\n${check}\n`);
      const error = await rejection(openDataFolder(path));
      expect(codeOf(error)).to.equal("version");
      expect((error as Error).message).to.contain(`is ${value}, this version knows`);
    }
  });

  it("refuses an identity that is damaged; without one it takes a new id and keeps the data", async () => {
    const path = freshFolder();
    const map = await openMap({ folder: path });
    map.put("a", utf8("1"));
    await map.close();
    const identity = readFileSync(join(path, "identity.json"));
    identity[20] = (identity[20] ?? 0) ^ 1;
    writeFileSync(join(path, "identity.json"), identity);
    expect(codeOf(await rejection(openDataFolder(path)))).to.equal("damaged");
    rmSync(join(path, "identity.json"));
    const folder = await openDataFolder(path);
    expect(folder.newIdReason).to.equal("lost");
    const again = await openMap({ folder });
    expect(again.node).not.to.equal(map.node);
    expect(text(again.get("a")?.value)).to.equal("1");
    await again.close();
    await folder.close();
  });

  it("takes a new id when the data is gone: old stamps could be issued again under the old one", async () => {
    const path = freshFolder();
    const map = await openMap({ folder: path });
    map.put("a", utf8("1"));
    await map.close();
    rmSync(join(path, "data.mdb"));
    const folder = await openDataFolder(path);
    expect(folder.newIdReason).to.equal("lost");
    const again = await openMap({ folder });
    expect(again.node).not.to.equal(map.node);
    expect(again.get("a")).to.equal(undefined);
    await again.close();
    await folder.close();
  });

  it("takes a data file without a byte for one that is gone", async () => {
    const path = freshFolder();
    const map = await openMap({ folder: path });
    map.put("a", utf8("1"));
    await map.close();
    truncateSync(join(path, "data.mdb"));
    const folder = await openDataFolder(path);
    expect(folder.newIdReason).to.equal("lost");
    expect(folder.id).not.to.equal(map.node);
    await folder.close();
  });

  it("lets the generation fall by nothing that a caller gives (rule 3)", async () => {
    const path = freshFolder();
    const folder = await openDataFolder(path);
    folder.raiseGeneration(11);
    for (const above of [NaN, -1, 1.5, Infinity, 2 ** 53, "7", null] as number[]) {
      expect(() => folder.raiseGeneration(above), String(above)).to.throw(
        RangeError,
        String(above),
      );
    }
    expect(folder.generation).to.equal(12);
    await folder.close();
    const again = await openDataFolder(path);
    expect(again.generation).to.equal(13);
    await again.close();
  });
});

describe("the lock of a data folder (rule 19)", () => {
  it("lets one store in at a time, in one process", async () => {
    const path = freshFolder();
    const folder = await openDataFolder(path);
    expect(codeOf(await rejection(openDataFolder(path)))).to.equal("in-use");
    await folder.close();
    await folder.close();
    await (await openDataFolder(path)).close();
  });

  it("lets one store in at a time, over the threads of a process", async () => {
    const path = freshFolder();
    const folder = await openDataFolder(path);
    const worker = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       import(workerData.url).then(({ openDataFolder }) => openDataFolder(workerData.path))
         .then(() => parentPort.postMessage("open"), (error) => parentPort.postMessage(error.code));`,
      { eval: true, workerData: { url: new URL("./data_folder.js", import.meta.url).href, path } },
    );
    const said = await new Promise((resolve) => worker.once("message", resolve));
    expect(said).to.equal("in-use");
    await worker.terminate();
    const { said: other } = await hold(path);
    expect(other).to.equal("refused in-use", "the lock survived the attempt");
    await folder.close();
  });

  it("keeps a second process out until the first has ended, also by kill -9", async () => {
    const path = freshFolder();
    const first = await hold(path);
    expect(first.said).to.match(/^open /);
    expect((await hold(path)).said).to.equal("refused in-use");
    expect(codeOf(await rejection(openDataFolder(path)))).to.equal("in-use");
    await end(first.child);
    const folder = await openDataFolder(path);
    expect(folder.generation).to.equal(2, "who was refused has changed nothing");
    await folder.close();
  });

  it("lets exactly one of several in that start together", async () => {
    const path = freshFolder();
    const holders = await Promise.all([1, 2, 3, 4].map(() => hold(path)));
    const open = holders.filter(({ said }) => said.startsWith("open"));
    expect(open.length).to.equal(1);
    await Promise.all(holders.map(({ child }) => end(child)));
  });

  it("does not rest on process ids: two containers that show the same one", async function () {
    const probe = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "true"]);
    if (probe.status !== 0) {
      console.log("    skipped: process id namespaces need root and Linux");
      this.skip();
    }
    const path = freshFolder();
    const first = await hold(path, true);
    const second = await hold(path, true);
    const pid = first.said.split(" ")[3];
    expect(pid).to.equal("1");
    expect(second.said).to.equal("refused in-use");
    await end(first.child);
    const third = await hold(path, true);
    expect(third.said).to.match(/^open .* 2 1$/);
    await end(third.child);
  });
});

describe("a backup (rule 19)", () => {
  it("is consistent while writes go on, and opens as another node", async () => {
    const path = freshFolder();
    const target = join(freshFolder(), "copy");
    const map = await openMap({ folder: path });
    for (let i = 0; i < 2_000; i += 1) map.put(`key${i}`, utf8(String(i)), { ttlMs: 1e9 });
    map.setMeta("members", utf8("m"));
    const { counter } = map;
    const copied = map.engine.copy?.(target);
    let isCopied = false;
    void copied?.then(() => (isCopied = true));
    let written = 0;
    while (!isCopied) {
      map.put(`later${written}`, utf8("x"));
      written += 1;
      await map.committed();
    }
    await map.close();

    const folder = await openDataFolder(target);
    expect(folder.newIdReason).to.equal("backup");
    const copy = await openMap({ folder });
    expect(copy.node).not.to.equal(map.node);
    expect(copy.counter).to.be.at.least(counter);
    expect(copy.size).to.equal(copy.counter);
    expect(copy.entries({ prefix: "key" }).length).to.equal(2_000);
    expect(text(copy.getMeta("members"))).to.equal("m");
    for (let leaf = 0; leaf < 32_768; leaf += 97) copy.digestEntries(3, leaf);
    expect(copy.statistics().correctedLeaves).to.equal(0);
    copy.put("new", utf8("1"));
    await copy.close();
    await folder.close();
    const again = await openMap({ folder: target });
    expect(again.node).to.equal(copy.node);
    expect(text(again.get("new")?.value)).to.equal("1");
    await again.close();
  });

  it("is not made into a folder that holds something", async () => {
    const map = await openMap({ folder: freshFolder() });
    const target = freshFolder();
    writeFileSync(join(target, "precious"), "");
    expect(codeOf(await rejection(map.engine.copy?.(target) ?? Promise.resolve()))).to.equal(
      "not-empty",
    );
    expect(readdirSync(target)).to.deep.equal(["precious"]);
    await map.close();
  });

  it("that was cut short is refused when it is opened, and nothing in it changes", async () => {
    const map = await openMap({ folder: freshFolder() });
    map.put("a", utf8("1"));
    await map.committed();
    const target = join(freshFolder(), "copy");
    await map.engine.copy?.(target);
    expect(readdirSync(target).sort()).to.deep.equal(["data.mdb", "identity.json"]);
    // As a process that was killed leaves it.
    renameSync(join(target, "data.mdb"), join(target, "data.mdb.part"));
    const error = await rejection(openDataFolder(target));
    expect(codeOf(error)).to.equal("damaged");
    expect((error as Error).message).to.contain("a backup that was cut short");
    expect(readdirSync(target).sort()).to.deep.equal(["data.mdb.part", "identity.json"]);
    await map.close();
  });

  it("of a new store opens too; a folder copied while it was closed is the node itself", async () => {
    const path = freshFolder();
    const target = join(freshFolder(), "copy");
    const map = await openMap({ folder: path });
    await map.engine.copy?.(target);
    await map.close();
    await (await openMap({ folder: target })).close();
    const moved = join(freshFolder(), "moved");
    cpSync(path, moved, { recursive: true });
    const same = await openMap({ folder: moved });
    expect(same.node).to.equal(map.node); // rule 19 finds this out on the network
    await same.close();
  });
});
