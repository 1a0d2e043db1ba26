// Kills a writing process with SIGKILL at random moments, opens its folder again, and checks that every
// write it was promised is there, and nothing else.
//
//     npx nx run store-lmdb:crash -- [cycles] [seed]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCrashes } from "./_crash.ts";

const cycles = Number(process.argv[2] ?? 1_000);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "dnd-crash-"));
const result = await runCrashes(folder, { cycles, seed });
rmSync(folder, { recursive: true, force: true });
const lines = [...result.lost, ...result.wrong].slice(0, 20).join("\n");
process.stdout.write(
  `${lines === "" ? "" : `${lines}\n`}seed ${seed}: ${result.cycles} kills, ` +
    `${result.acknowledged} writes acknowledged, ${result.lost.length} lost, ${result.wrong.length} wrong\n`,
);
process.exitCode = result.lost.length + result.wrong.length === 0 ? 0 : 1;
