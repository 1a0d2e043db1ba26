// Cuts the power of a file system under a writing process at random moments, opens the folder again, and
// checks that every write it was promised is there, and nothing else. Needs root.
//
//     npx nx run store-lmdb:power-cut -- [cuts] [seed] [no-sync]
//
// With `no-sync` the sync of every commit is left out: the rig must find writes missing then.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { powerCutObstacle, runPowerCuts } from "./_power_cut.ts";

const cuts = Number(process.argv[2] ?? 50);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const noSync = process.argv[4] === "no-sync";
const obstacle = powerCutObstacle();
if (obstacle === undefined) {
  const folder = mkdtempSync(join(tmpdir(), "dnd-power-cut-"));
  const result = await runPowerCuts(folder, { cuts, seed, noSync });
  rmSync(folder, { recursive: true, force: true });
  const { lost, wrong, unopened } = result;
  const lines = [...lost, ...wrong, ...unopened].slice(0, 20).join("\n");
  process.stdout.write(
    `${lines === "" ? "" : `${lines}\n`}seed ${seed}: ${result.cuts} cuts, ` +
      `${result.acknowledged} writes acknowledged, ${lost.length} lost, ${wrong.length} wrong, ` +
      `${unopened.length} times not opened\n`,
  );
  process.exitCode = lost.length + wrong.length + unopened.length === 0 ? 0 : 1;
} else {
  process.stdout.write(`skipped: the power-cut rig ${obstacle}\n`);
}
