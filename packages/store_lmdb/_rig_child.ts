// The writer of the rigs (see _rig.ts): some writers at once, each of which waits for its commit. Runs
// until it is killed, or whoever started it is gone.
//
// Standard output is a file, and each line is in the kernel when `say` returns. `put` begins no commit
// before the turn of the event loop ends, so no write is on disk whose `s` line is not there. (Written
// as a stream to a parent that is busy, lines would queue in this process and be killed with it.)
import { VersionedMap } from "@dnd/store";
import { writeSync } from "node:fs";
import { openEnvironment } from "./_environment.ts";
import { openEngineWith } from "./_open_engine.ts";
import { randomFrom, valueOf } from "./_rig.ts";

const KEYS = 500;
const WRITERS = 16;

const [folder = "", cycle = "0", sync = "sync"] = process.argv.slice(2);
const random = randomFrom(Number(cycle));
const noSync = sync === "no-sync";
const journalChanges = [1, 8, 50, 16_384][Number(cycle) % 4];
const engine = await openEngineWith({ folder, journalChanges }, (path) =>
  openEnvironment(path, { noSync }),
);
const map = new VersionedMap({ node: "rig", engine, clock: Date.now });
const parent = process.ppid;
let number = Number(cycle) * 1_000_000;

function say(line: string): void {
  const bytes = Buffer.from(line);
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
}

async function write(): Promise<void> {
  while (process.ppid === parent) {
    number += 1;
    const mine = number;
    const key = `key${Math.floor(random() * KEYS)}`;
    const value = valueOf(key, mine);
    const entry = value === undefined ? map.delete(key) : map.put(key, value);
    const line = `${key} ${mine} ${entry.version.time}\n`;
    say(`s ${line}`);
    await map.committed();
    say(`a ${line}`);
  }
}

await Promise.all(Array.from({ length: WRITERS }, write));
process.exit(); // what is not acknowledged need not be there
