import { type StatsFs, statfsSync } from "node:fs";

/** For how long a look at the file system is believed, in milliseconds. */
const LOOK_MS = 100;

const MEBIBYTE = 1024 * 1024;

/**
 * Whether the file system has room (rule 17). The reserve is what makes the question worth asking: what
 * was promised room, is waiting, or comes from other nodes must still fit when the answer is no.
 */
export class FreeSpace {
  readonly #folder: string;
  readonly #reserveBytes: number | undefined;
  #freeBytes = 0;
  #reserve = 0;
  #lookedAtMs = -Infinity;
  #takenBytes = 0;

  /** @param reserveBytes default: 64 MiB, but at most a twentieth of the file system */
  constructor(folder: string, reserveBytes?: number) {
    this.#folder = folder;
    this.#reserveBytes = reserveBytes;
  }

  /** Whether fewer than `bytes` are free above the reserve. */
  isShort(bytes: number): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#lookedAtMs > LOOK_MS || this.#takenBytes > MEBIBYTE) {
      this.#look();
      this.#lookedAtMs = nowMs;
    }
    this.#takenBytes += bytes;
    return this.#freeBytes - this.#takenBytes < this.#reserve;
  }

  /** Looks again before the next answer. */
  forget(): void {
    this.#lookedAtMs = -Infinity;
  }

  /** A folder that was moved away says nothing; its open files tell of a lack themselves. */
  #look(): void {
    const found = look(this.#folder);
    if (found === undefined) {
      this.#freeBytes = Infinity;
      return;
    }
    const { bavail, blocks, bsize } = found;
    this.#freeBytes = bavail * bsize;
    this.#reserve = this.#reserveBytes ?? Math.min(64 * MEBIBYTE, (blocks * bsize) / 20);
    this.#takenBytes = 0;
  }
}

function look(folder: string): StatsFs | undefined {
  try {
    return statfsSync(folder);
  } catch {
    return undefined;
  }
}
