import type { GossipLogger } from "./gossip_options.ts";

/** Levels of {@linkcode GossipLogger}. */
export type LogLevel = keyof GossipLogger;

/** One line for the host's logger. */
export type LogLine = (level: LogLevel, fields: object, message: string) => void;

/**
 * One line of a kind in each interval, with the number of those left out: an attacker must not be able to
 * fill a disk. The kinds are few and fixed in the code, so the memory is bounded.
 */
export class RateLimitedLog {
  readonly #write: LogLine;
  readonly #intervalMs: number;
  readonly #kinds = new Map<string, { at: number; left: number }>();

  constructor(write: LogLine, intervalMs = 10_000) {
    this.#write = write;
    this.#intervalMs = intervalMs;
  }

  /** @param now ms of a monotonic clock */
  line(kind: string, now: number, level: LogLevel, fields: object, message: string): void {
    const last = this.#kinds.get(kind);
    if (last !== undefined && now - last.at < this.#intervalMs) {
      last.left += 1;
      return;
    }
    const more = last === undefined || last.left === 0 ? {} : { leftOut: last.left };
    this.#kinds.set(kind, { at: now, left: 0 });
    this.#write(level, { kind, ...fields, ...more }, message);
  }
}
