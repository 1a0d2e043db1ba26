// Flips single bits in a data file, and checks that nothing wrong is ever read. LMDB has no checksums of
// its pages and follows what they say, so some flips end the process; the reader (_flip_child.ts) is one
// of its own, and is started again after the flip that ended it.
import { VersionedMap } from "@dnd/store";
import { spawn } from "node:child_process";
import { copyFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { randomFrom } from "./_rig.ts";
import { openEngine } from "./open_engine.ts";

/** How the store of the rig is filled: the reader knows from this what is right. */
export const FLIP_KEYS = 400;
export const FLIP_NOW = 1_800_000_000_000;

export function flipKey(i: number): string {
  return `user/${i}/${"k".repeat(i % 40)}`;
}

export function flipValue(i: number): Uint8Array {
  return Buffer.alloc(i % 50 === 0 ? 9_000 : (i * 17) % 300, `value ${i} `);
}

/** The same writes wherever they are made: to disk, and to the memory of who checks. */
export function fillMap(map: VersionedMap): void {
  for (let i = 0; i < FLIP_KEYS; i += 1) {
    map.put(flipKey(i), flipValue(i), {
      now: FLIP_NOW + i,
      ...(i % 5 === 0 ? { ttlMs: 1_000 + i } : {}),
      ...(i % 3 === 0 ? { contentType: "text/plain" } : {}),
    });
  }
  for (let i = 0; i < FLIP_KEYS; i += 9) map.delete(flipKey(i), { now: FLIP_NOW + 1_000 });
  map.setMeta("members", Buffer.from("the members"));
}

/** What became of the flips. */
export interface FlipResult {
  readonly flips: number;

  /** The folder was refused, with a reason. */
  refused: number;

  /** Something read was an error; everything else was right. */
  noticed: number;

  /** Everything read was right. */
  harmless: number;

  /** LMDB ended the process. */
  ended: number;

  /** What was read and is not what was written. */
  readonly wrong: string[];
}

/** Makes a store, and reads it once for each flip. */
export async function runFlips(
  folder: string,
  options: { readonly flips: number; readonly seed: number },
): Promise<FlipResult> {
  const random = randomFrom(options.seed);
  await makeStore(folder);
  const { size } = statSync(join(folder, "data.mdb"));
  const bits = Array.from({ length: options.flips }, () => Math.floor(random() * size * 8));
  const result: FlipResult = {
    ...{ flips: options.flips, refused: 0, noticed: 0, harmless: 0, ended: 0 },
    wrong: [],
  };
  for (let next = 0; next < bits.length;) {
    const done = await readWith(folder, bits.slice(next), result);
    next += done;
    if (next >= bits.length) break;
    result.ended += 1; // by this one
    next += 1;
  }
  return result;
}

async function makeStore(folder: string): Promise<void> {
  const engine = await openEngine({ folder });
  const map = new VersionedMap({ node: "0123456789abcdef0123456789abcdef", engine });
  fillMap(map);
  await map.close();
  copyFileSync(join(folder, "data.mdb"), join(folder, "pristine"));
}

/** @returns how many flips were read to the end */
async function readWith(
  folder: string,
  bits: readonly number[],
  result: FlipResult,
): Promise<number> {
  const script = fileURLToPath(new URL("./_flip_child.js", import.meta.url));
  const child = spawn(process.execPath, [script, folder, bits.join(",")], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let done = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("wrong ")) result.wrong.push(line);
    else if (line === "refused" || line === "noticed" || line === "harmless") {
      result[line] += 1;
      done += 1;
    }
  }
  return done;
}
