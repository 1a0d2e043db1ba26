import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ledger, randomFrom } from "./_rig.ts";
import { startWriter } from "./_writer.ts";
import { openMap } from "./open_map.ts";

/** What a run of the power-cut rig found. */
export interface PowerCutResult {
  readonly cuts: number;
  readonly acknowledged: number;
  readonly lost: string[];
  readonly wrong: string[];

  /** Times the folder could not be opened after a cut. */
  readonly unopened: string[];
}

function run(command: string, args: readonly string[]): string {
  const { status, stderr, stdout } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr || "cannot be run"}`);
  return stdout;
}

/** Why the rig cannot run here; `undefined` if it can. */
export function powerCutObstacle(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid?.() !== 0) return "needs root, to mount a file system";
  for (const command of ["mkfs.ext4", "mount", "umount", "losetup", "xfs_io"]) {
    if (spawnSync("which", [command]).status !== 0) return `needs ${command}`;
  }
  return undefined;
}

/** A file system of its own, whose power can be cut: what was not synced is gone. */
export class CuttableDisk {
  readonly folder: string;
  readonly #image: string;
  #device: string | undefined;

  /** Whether the disk has its marker: by it each mount is known to be of this one. */
  #isMarked = false;

  /** @throws {Error} if it cannot be made or mounted */
  constructor(workFolder: string, options: { readonly megabytes: number } = { megabytes: 64 }) {
    this.#image = join(workFolder, "disk.img");
    this.folder = join(workFolder, "disk");
    mkdirSync(this.folder);
    run("truncate", ["-s", `${options.megabytes}M`, this.#image]);
    run("mkfs.ext4", ["-q", "-F", "-m", "0", this.#image]);
    this.mount();
  }

  mount(): void {
    // two rigs that run at once must not get each other's device: one that is held is not shared
    this.#device = run("losetup", ["--find", "--show", this.#image]).trim();
    run("mount", [this.#device, this.folder]);
    const marker = join(this.folder, "rig");
    if (!existsSync(marker)) {
      if (this.#isMarked) throw new Error(`${this.#device} shows the disk of somebody else`);
      writeFileSync(marker, this.#image);
      run("sync", ["--file-system", this.folder]);
      this.#isMarked = true;
    } else if (readFileSync(marker, "utf8") !== this.#image) {
      throw new Error(`${this.#device} shows the disk of somebody else`);
    }
  }

  /** From now on nothing reaches the disk: what the file system holds in memory is lost. */
  cut(): void {
    run("xfs_io", ["-x", "-c", "shutdown", this.folder]);
  }

  unmount(): void {
    if (this.#device === undefined) return;
    run("umount", [this.folder]);
    run("losetup", ["--detach", this.#device]);
    this.#device = undefined;
  }

  /** Unmounts and deletes it. */
  remove(): void {
    this.unmount();
    rmSync(this.#image, { force: true });
  }
}

/** Cuts the power of a writer at random moments, and checks after each time what is there. */
export async function runPowerCuts(
  workFolder: string,
  options: { readonly cuts: number; readonly seed: number; readonly noSync?: boolean },
): Promise<PowerCutResult> {
  const disk = new CuttableDisk(workFolder);
  const random = randomFrom(options.seed);
  const ledger = new Ledger();
  const result: PowerCutResult = {
    cuts: options.cuts,
    acknowledged: 0,
    lost: [],
    wrong: [],
    unopened: [],
  };
  const folder = join(disk.folder, "data");
  try {
    for (let cycle = 1; cycle <= options.cuts; cycle += 1) {
      const writer = startWriter(folder, {
        cycle,
        noSync: options.noSync === true,
        onLine: (line) => ledger.add(line),
      });
      await writer.acknowledged(1 + Math.floor(random() * 100));
      await new Promise((resolve) => setTimeout(resolve, random() * 5)); // anywhere in a commit
      disk.cut();
      writer.process.kill("SIGKILL");
      await writer.ended;
      disk.unmount();
      disk.mount();
      try {
        const map = await openMap({ folder, node: "rig" });
        const { lost, wrong } = ledger.check(map);
        result.lost.push(...lost.map((line) => `cut ${cycle}: ${line}`));
        result.wrong.push(...wrong.map((line) => `cut ${cycle}: ${line}`));
        await map.close();
      } catch (error) {
        result.unopened.push(`cut ${cycle}: ${error instanceof Error ? error.message : "?"}`);
        break;
      }
    }
  } finally {
    disk.remove();
  }
  return { ...result, acknowledged: ledger.acknowledged };
}
