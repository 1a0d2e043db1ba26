import { StorageError, VersionedMap } from "@dnd/store";
import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FaultyEnvironment } from "./_faulty_environment.ts";
import { openEngineWith } from "./_open_engine.ts";
import { CuttableDisk, powerCutObstacle } from "./_power_cut.ts";
import { codeOf, freshFolder, rejection, text, until, utf8 } from "./_test_utils.ts";
import type { LmdbEngine } from "./lmdb_engine.ts";
import type { LmdbEngineOptions } from "./lmdb_engine_options.ts";
import { openMap } from "./open_map.ts";

interface Faulty {
  readonly map: VersionedMap;
  readonly engine: LmdbEngine;
  readonly environment: FaultyEnvironment;
}

async function openFaulty(options: Partial<LmdbEngineOptions> = {}): Promise<Faulty> {
  let environment: FaultyEnvironment | undefined;
  const folder = options.folder ?? freshFolder();
  const engine = await openEngineWith({ ...options, folder }, async (path) => {
    environment = await FaultyEnvironment.open(path);
    return environment;
  });
  if (environment === undefined) throw new Error("not opened");
  return { map: new VersionedMap({ node: "a", engine, clock: Date.now }), engine, environment };
}

describe("a failed commit (rule 17)", () => {
  it("is final while there is room: waiting writes fail, nothing is taken or promised any more", async () => {
    const { map, environment } = await openFaulty();
    map.put("before", utf8("1"));
    await map.committed();
    const failures: unknown[] = [];
    const watch = map.watch();
    const next = watch.next().catch((error: unknown) => failures.push(error));
    environment.fault = { code: 5 };
    map.put("a", utf8("2"));
    const first = map.committed();
    map.put("b", utf8("3"));
    for (const waiting of [first, map.committed()]) {
      const error = await rejection(waiting);
      expect(codeOf(error)).to.equal("storage-failed");
      expect((error as StorageError).outcome).to.equal("unknown");
    }
    const { commits } = environment;
    expect(() => map.put("c", utf8("4"))).to.throw(StorageError, /Cannot commit/);
    expect(() => map.get("before")).to.throw(StorageError);
    expect(codeOf(await rejection(map.committed()))).to.equal("storage-failed");
    expect(map.committedCounter).to.equal(1);
    await next;
    expect(environment.commits).to.equal(commits, "the sync is never tried again");
    await map.close();
  });

  it("fails the writers that wait for a disk that does not answer", async () => {
    const { map, environment } = await openFaulty({ commitDeadlineMs: 50 });
    environment.fault = "hang";
    map.put("a", utf8("1"));
    expect(codeOf(await rejection(map.committed()))).to.equal("storage-failed");
    await map.close();
  });

  it("leaves no rejection of its own unhandled", async () => {
    const seen: unknown[] = [];
    const listen = (error: unknown): number => seen.push(error);
    process.on("unhandledRejection", listen);
    const { map, environment } = await openFaulty();
    environment.fault = { code: 5 };
    map.put("a", utf8("1")); // and nobody waits
    await until(() => codeOf(thrown(() => map.get("a"))) === "storage-failed");
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listen);
    expect(seen).to.deep.equal([]);
    await map.close();
  });

  it("is what a disk that dies under the process looks like", async function () {
    const obstacle = powerCutObstacle();
    if (obstacle !== undefined) {
      console.log(`    skipped: a disk that dies ${obstacle}`);
      this.skip();
    }
    const disk = new CuttableDisk(freshFolder());
    try {
      const script = fileURLToPath(new URL("./_dying_disk_child.js", import.meta.url));
      const { stdout, stderr, status } = spawnSync(process.execPath, [script, disk.folder], {
        encoding: "utf8",
        timeout: 30_000,
      });
      const codes = ["storage-failed", "storage-failed", "storage-failed"];
      expect(stdout.trim().split("\n"), stderr).to.deep.equal(codes);
      expect(status, stderr).to.equal(0);
    } finally {
      disk.remove();
    }
  });
});

describe("the bound of what waits (rule 17)", () => {
  it("refuses further writes as overloaded, before they are stamped, until a commit has made room", async () => {
    const { map } = await openFaulty({ maxPendingBytes: 100_000 });
    const value = new Uint8Array(40_000);
    map.put("a", value);
    map.put("b", value);
    const { counter } = map;
    expect(codeOf(thrown(() => map.put("c", value)))).to.equal("overloaded");
    expect(map.counter).to.equal(counter);
    expect(map.get("c")).to.equal(undefined);
    await map.committed();
    map.put("c", value);
    await map.close();
  });

  it("takes one write that is larger than the bound when nothing waits", async () => {
    const { map } = await openFaulty({ maxPendingBytes: 1_000 });
    map.put("a", new Uint8Array(100_000));
    await map.committed();
    await map.close();
  });
});

describe("a full disk (rule 17)", () => {
  it("refuses writes as storage-full before they are stamped, and serves reads", async () => {
    const folder = freshFolder();
    const first = await openMap({ folder });
    first.put("a", utf8("1"));
    await first.close();
    const map = await openMap({ folder, reserveBytes: Number.MAX_SAFE_INTEGER });
    const { counter } = map;
    const error = thrown(() => map.put("b", utf8("2")));
    expect(codeOf(error)).to.equal("storage-full");
    expect((error as StorageError).outcome).to.equal("not-applied");
    expect(map.counter).to.equal(counter);
    expect(text(map.get("a")?.value)).to.equal("1");
    await map.close();
  });

  it("keeps every acknowledged write, and takes new ones when there is room again", async function () {
    const mounted = mountTmpfs(12);
    if (mounted === undefined) {
      console.log("    skipped: a full disk needs root and Linux, to mount a tmpfs");
      this.skip();
      return;
    }
    const { disk, unmount } = mounted;
    const seen: unknown[] = [];
    const listen = (error: unknown): number => seen.push(error);
    process.on("unhandledRejection", listen);
    try {
      writeFileSync(join(disk, "ballast"), new Uint8Array(3_000_000));
      const folder = join(disk, "data");
      // no reserve to speak of: commits do find no room
      const map = await openMap({ folder, node: "a", reserveBytes: 4096 });
      const acknowledged: string[] = [];
      const refusals = new Set<string>();
      for (let i = 0; i < 400 && refusals.size < 2; i += 1) {
        try {
          map.put(`key${i}`, new Uint8Array(60_000).fill(i));
          await map.committed();
          acknowledged.push(`key${i}`);
        } catch (error) {
          refusals.add(`${codeOf(error)} ${(error as StorageError).outcome}`);
        }
      }
      expect([...refusals].every((refusal) => refusal.startsWith("storage-full"))).to.equal(true);
      expect(refusals.has("storage-full not-applied")).to.equal(true);
      expect(acknowledged.length).to.be.greaterThan(50);
      for (const key of acknowledged) expect(map.get(key)?.value.length).to.equal(60_000);

      rmSync(join(disk, "ballast"));
      await until(() => thrown(() => map.put("later", utf8("1"))) === undefined);
      await map.committed();
      const { counter } = map;
      await map.close();

      const again = await openMap({ folder, node: "a", reserveBytes: 4096 });
      expect(again.counter).to.equal(counter);
      expect(text(again.get("later")?.value)).to.equal("1");
      for (const key of acknowledged) expect(again.get(key)?.value.length).to.equal(60_000);
      await again.close();
      expect(seen).to.deep.equal([]);
    } finally {
      process.off("unhandledRejection", listen);
      unmount();
    }
  });
});

describe("a full disk on which room is made while a commit fails (rule 17)", () => {
  it("is no broken one: the commit is tried again", async function () {
    const mounted = mountTmpfs(12);
    if (mounted === undefined) {
      console.log("    skipped: a full disk needs root and Linux, to mount a tmpfs");
      this.skip();
      return;
    }
    const { disk, unmount } = mounted;
    try {
      const ballast = join(disk, "ballast");
      const { map, environment } = await openFaulty({ folder: join(disk, "data") });
      environment.fault = { code: 5, after: () => fill(ballast) };
      map.put("a", utf8("1"));
      expect(codeOf(await rejection(map.committed()))).to.equal("storage-full");
      let retries = 0;
      environment.fault = {
        code: 5,
        after: () => {
          rmSync(ballast);
          retries += 1;
          environment.fault = undefined;
        },
      };
      await until(() => retries === 1);
      await map.committed();
      expect(text(map.get("a")?.value)).to.equal("1");
      await map.close();
    } finally {
      unmount();
    }
  });
});

describe("a backup for which there is no room (rule 17)", () => {
  it("fails as storage-full, leaves nothing behind, and the store goes on", async () => {
    const { map, engine, environment } = await openFaulty();
    map.put("a", utf8("1"));
    await map.committed();
    const root = freshFolder();
    const target = join(root, "deep", "copy");
    // lmdb tells of it in the system's words only.
    environment.copy = (path) => {
      writeFileSync(path, new Uint8Array(100));
      return Promise.reject(new Error("No space left on device"));
    };
    const error = await rejection(engine.copy(target));
    expect(codeOf(error)).to.equal("storage-full");
    expect((error as StorageError).outcome).to.equal("not-applied");
    expect((error as Error).message).to.contain(`Cannot back up into ${target}: there is no room`);
    expect(readdirSync(root)).to.deep.equal([]);

    mkdirSync(target, { recursive: true });
    environment.copy = () => Promise.reject(new Error("Permission denied"));
    expect(codeOf(await rejection(engine.copy(target)))).to.equal(undefined);
    expect(readdirSync(target)).to.deep.equal([]);
    Reflect.deleteProperty(environment, "copy");
    await engine.copy(target);
    expect(readdirSync(target).sort()).to.deep.equal(["data.mdb", "identity.json"]);
    map.put("b", utf8("2"));
    await map.committed();
    await map.close();
  });

  it("is what a small disk makes of it", async function () {
    const mounted = mountTmpfs(1);
    if (mounted === undefined) {
      console.log("    skipped: a full disk needs root and Linux, to mount a tmpfs");
      this.skip();
      return;
    }
    try {
      const map = await openMap({ folder: freshFolder() });
      for (let i = 0; i < 300; i += 1) map.put(`key${i}`, new Uint8Array(10_000).fill(i));
      await map.committed();
      const error = await rejection(map.engine.copy?.(join(mounted.disk, "copy")) ?? map.close());
      expect(codeOf(error)).to.equal("storage-full");
      expect(readdirSync(mounted.disk)).to.deep.equal([]);
      await map.close();
    } finally {
      mounted.unmount();
    }
  });
});

/** Writes a file until the disk is full. */
function fill(path: string): void {
  expect(() => {
    for (;;) appendFileSync(path, new Uint8Array(65_536));
  }).to.throw("ENOSPC");
}

function thrown(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

function mountTmpfs(megabytes: number): { disk: string; unmount: () => void } | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const disk = join(freshFolder(), "small");
  mkdirSync(disk);
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "dnd", disk]);
  if (status !== 0) return undefined;
  return { disk, unmount: () => void spawnSync("umount", [disk]) };
}
