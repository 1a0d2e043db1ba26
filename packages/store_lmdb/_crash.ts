import { Ledger, randomFrom } from "./_rig.ts";
import { startWriter } from "./_writer.ts";
import { openMap } from "./open_map.ts";

/** What a run of the crash rig found. */
export interface CrashResult {
  readonly cycles: number;
  readonly acknowledged: number;
  readonly lost: string[];
  readonly wrong: string[];
}

/** Kills a writer at random moments, and checks after each time what is there. */
export async function runCrashes(
  folder: string,
  options: {
    readonly cycles: number;
    readonly seed: number;

    /** For so many milliseconds this process stands still before each kill. Default: 0. */
    readonly stallMs?: number;
  },
): Promise<CrashResult> {
  const random = randomFrom(options.seed);
  const ledger = new Ledger();
  const lost: string[] = [];
  const wrong: string[] = [];
  for (let cycle = 1; cycle <= options.cycles; cycle += 1) {
    const writer = startWriter(folder, { cycle, onLine: (line) => ledger.add(line) });
    await writer.acknowledged(1 + Math.floor(random() * 200));
    await afterMs(random() * 5); // anywhere in a commit
    stall(options.stallMs ?? 0);
    writer.process.kill("SIGKILL");
    await writer.ended;
    if (writer.errors() !== "") wrong.push(`cycle ${cycle}: ${writer.errors()}`);
    const map = await openMap({ folder, node: "rig" });
    const found = ledger.check(map);
    lost.push(...found.lost.map((line) => `cycle ${cycle}: ${line}`));
    wrong.push(...found.wrong.map((line) => `cycle ${cycle}: ${line}`));
    await map.close();
  }
  return { cycles: options.cycles, acknowledged: ledger.acknowledged, lost, wrong };
}

function afterMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Blocks this process, as a busy machine does. */
function stall(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
