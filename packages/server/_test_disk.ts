import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** What a test does to the disk. */
export type DiskKind =
  /** In memory, of a fixed size that can be changed: for running full. */
  | "small"
  /** On a loop device, which can be made to fail for good. */
  | "failing";

const programs: Readonly<Record<DiskKind, readonly string[]>> = {
  small: ["mount", "umount"],
  failing: ["mount", "umount", "mkfs.ext4", "losetup", "xfs_io", "truncate"],
};

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr.trim()}`);
  }
  return stdout.trim();
}

/** A file system of its own for the data folder of a node. */
export class TestDisk {
  /** Where it is mounted. */
  readonly folder: string;
  readonly #root: string;
  #device: string | undefined;

  /** Made by {@link TestDisk.make}. */
  constructor(kind: DiskKind, megabytes: number) {
    this.#root = mkdtempSync(join(tmpdir(), "dnd-disk-"));
    this.folder = join(this.#root, "mounted");
    mkdirSync(this.folder);
    try {
      if (kind === "small") {
        run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", this.folder);
        return;
      }
      const image = join(this.#root, "image");
      run("truncate", "-s", `${megabytes}M`, image);
      run("mkfs.ext4", "-q", "-F", "-m", "0", image);
      this.#device = run("losetup", "--find", "--show", image);
      run("mount", this.#device, this.folder);
    } catch (error) {
      if (this.#device !== undefined) run("losetup", "--detach", this.#device);
      rmSync(this.#root, { recursive: true, force: true });
      throw error;
    }
  }

  /** Makes one; where that cannot be done the test is left out, with a printed reason. */
  static make(context: Mocha.Context, kind: DiskKind, megabytes: number): TestDisk {
    const missing = programs[kind].filter((name) => spawnSync("which", [name]).status !== 0);
    let reason =
      process.platform !== "linux"
        ? "needs Linux"
        : process.getuid?.() !== 0
          ? "needs root, to mount a file system"
          : missing.length > 0
            ? `needs ${missing.join(", ")}`
            : undefined;
    try {
      if (reason === undefined) return new TestDisk(kind, megabytes);
    } catch (error) {
      reason = `cannot mount a file system: ${String(error)}`;
    }
    console.log(`      skipped: ${reason}`);
    context.skip();
  }

  /** Changes the size of a small one. */
  resize(megabytes: number): void {
    run("mount", "-o", `remount,size=${megabytes}m`, this.folder);
  }

  /** From now on nothing can be read from a failing one or written to it. */
  fail(): void {
    run("xfs_io", "-x", "-c", "shutdown", this.folder);
  }

  /** Nothing may have files open on it. */
  remove(): void {
    run("umount", this.folder);
    if (this.#device !== undefined) run("losetup", "--detach", this.#device);
    rmSync(this.#root, { recursive: true, force: true });
  }
}
