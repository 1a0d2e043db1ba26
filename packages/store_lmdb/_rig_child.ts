// The writer of the rigs (see _rig.ts): some writers at once, each of which waits for its commit. Runs
// until it is killed.
import { VersionedMap } from "@dnd/store";
import { openEnvironment } from "./_environment.ts";
import { openEngineWith } from "./_open_engine.ts";
import { randomFrom, valueOf } from "./_rig.ts";

const KEYS = 500;
const WRITERS = 16;

const [folder = "", cycle = "0", sync = "sync"] = process.argv.slice(2);
const random = randomFrom(Number(cycle));
const noSync = sync === "no-sync";
const engine = await openEngineWith({ folder }, (path) => openEnvironment(path, { noSync }));
const map = new VersionedMap({ node: "rig", engine, clock: Date.now });
let number = Number(cycle) * 1_000_000;

async function write(): Promise<never> {
  for (;;) {
    number += 1;
    const mine = number;
    const key = `key${Math.floor(random() * KEYS)}`;
    const value = valueOf(key, mine);
    const entry = value === undefined ? map.delete(key) : map.put(key, value);
    const line = `${key} ${mine} ${entry.version.time}\n`;
    process.stdout.write(`s ${line}`);
    await map.committed();
    process.stdout.write(`a ${line}`);
  }
}

await Promise.all(Array.from({ length: WRITERS }, write));
