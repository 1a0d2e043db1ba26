import { VersionedMap } from "@dnd/store";
import { expect } from "chai";
import { cpSync } from "node:fs";
import { FaultyEnvironment } from "./_faulty_environment.ts";
import { openEngineWith } from "./_open_engine.ts";
import { codeOf, freshFolder, rejection, text, until, utf8 } from "./_test_utils.ts";
import type { LmdbEngineOptions } from "./lmdb_engine_options.ts";
import { openMap } from "./open_map.ts";

interface Faulty {
  readonly map: VersionedMap;
  readonly environment: FaultyEnvironment;
}

async function openFaulty(options: LmdbEngineOptions): Promise<Faulty> {
  let environment: FaultyEnvironment | undefined;
  const engine = await openEngineWith(options, async (path) => {
    environment = await FaultyEnvironment.open(path);
    return environment;
  });
  if (environment === undefined) throw new Error("not opened");
  return { map: new VersionedMap({ node: "a", engine, clock: Date.now }), environment };
}

/** A map whose commits never end. */
async function openHanging(durability: "sync" | "async"): Promise<Faulty> {
  const faulty = await openFaulty({ folder: freshFolder(), durability, commitDeadlineMs: 100 });
  faulty.environment.fault = "hang";
  return faulty;
}

describe("durability", () => {
  it("sync: committed() waits for the disk", async () => {
    const { map } = await openHanging("sync");
    map.put("a", utf8("1"));
    let isAnswered = false;
    const answer = map.committed().finally(() => (isAnswered = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).to.equal(false);
    expect(codeOf(await rejection(answer))).to.equal("storage-failed");
    await map.close();
  });

  it("async: committed() does not, and a disk that fails is told with the next call", async () => {
    const { map, environment } = await openHanging("async");
    map.put("a", utf8("1"));
    await map.committed();
    expect(map.committedCounter).to.equal(0, "nothing is promised to others (rule 9)");
    await until(() => environment.commits === 1); // the commit is made all the same
    expect(text(map.get("a")?.value)).to.equal("1");
    await until(() => isFailed(map));
    expect(codeOf(await rejection(map.committed()))).to.equal("storage-failed");
    await map.close();
  });

  it("async: a crash loses what was not on disk, and nothing before it", async () => {
    const folder = freshFolder();
    const { map, environment } = await openFaulty({ folder, durability: "async" });
    for (let i = 10; i < 20; i += 1) map.put(`key${i}`, utf8("1"));
    await until(() => map.committedCounter === 10);
    environment.fault = "hang";
    for (let i = 20; i < 30; i += 1) map.put(`key${i}`, utf8("1"));
    await map.committed();
    expect(map.size).to.equal(20);
    const copy = freshFolder();
    cpSync(folder, copy, { recursive: true });
    const crashed = await openMap({ folder: copy, node: "a" });
    expect(crashed.entries().map(({ key }) => key)).to.deep.equal(
      Array.from({ length: 10 }, (_, i) => `key${10 + i}`),
    );
    await crashed.close();
  });

  it("async: closing commits what is left", async () => {
    const folder = freshFolder();
    const map = await openMap({ folder, node: "a", durability: "async" });
    for (let i = 0; i < 40; i += 1) map.put(`key${i}`, utf8("1"));
    await map.close();
    const again = await openMap({ folder, node: "a" });
    expect(again.size).to.equal(40);
    await again.close();
  });
});

function isFailed(map: VersionedMap): boolean {
  try {
    map.get("a");
    return false;
  } catch (error) {
    return codeOf(error) === "storage-failed";
  }
}
