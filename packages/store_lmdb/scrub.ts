import { DamagedError, type VersionedMap } from "@dnd/store";
import { LEAF_COUNT, LEAF_LEVEL } from "@dnd/store/engine";
import type { LmdbEngine } from "./lmdb_engine.ts";
import type { VerifyPosition } from "./verify_result.ts";

/** What a scrub has found since it was made. */
export interface ScrubProgress {
  /** How many times everything has been walked. */
  readonly rounds: number;

  /** Rows and leaves that were checked. */
  readonly checked: number;

  /** Index rows that were made again, or taken away because they belonged to nothing. */
  readonly repaired: number;

  /** Keys whose records were found damaged: taken out of the digest, and marked (rule 6). */
  readonly damaged: number;
}

/** How a scrub runs by itself. */
export interface ScrubOptions {
  /** How long to pause between slices, in milliseconds. Default 100. Lower: a round ends sooner. */
  readonly pauseMs?: number;

  /** How many rows or leaves a slice has. Default 256. Higher: the event loop is held up for longer. */
  readonly sliceRows?: number;
}

/**
 * Walks everything that a durable map holds, again and again, so that damage is found while other
 * replicas still have what was damaged: each record against its checksum and its content hash, each
 * index row against its record, each leaf against its sum (rule 6). It runs when it is called; only
 * {@linkcode Scrub.start} gives it a timer.
 *
 * @example
 * ```ts
 * import { Scrub, openEngine } from "@dnd/store-lmdb";
 * import { VersionedMap } from "@dnd/store";
 *
 * const engine = await openEngine({ folder: "./data" });
 * const map = new VersionedMap({ node: "a", engine, clock: Date.now });
 * const scrub = new Scrub(map, engine);
 * while (scrub.step().rounds === 0); // or scrub.start()
 * await map.close();
 * ```
 */
export class Scrub {
  readonly #map: VersionedMap;
  readonly #engine: LmdbEngine;
  #timer: NodeJS.Timeout | undefined;
  #position: VerifyPosition | undefined;

  /** The next leaf to be listed; `undefined` while rows are being walked. */
  #leaf: number | undefined;
  #rounds = 0;
  #checked = 0;
  #repaired = 0;
  #damaged = 0;

  constructor(map: VersionedMap, engine: LmdbEngine) {
    this.#map = map;
    this.#engine = engine;
  }

  /** What has been found. */
  get progress(): ScrubProgress {
    return {
      rounds: this.#rounds,
      checked: this.#checked,
      repaired: this.#repaired,
      damaged: this.#damaged,
    };
  }

  /**
   * Checks the next slice.
   *
   * @param limit how many rows or leaves
   * @throws {StorageError} if the engine failed or was closed
   */
  step(limit = 256): ScrubProgress {
    if (this.#leaf === undefined) this.#walkRows(limit);
    else this.#walkLeaves(this.#leaf, limit);
    return this.progress;
  }

  #walkRows(limit: number): void {
    const { next, checked, repaired, damaged } = this.#engine.verify(this.#position, limit);
    this.#checked += checked;
    this.#repaired += repaired;
    for (const key of damaged) this.#mark(key);
    this.#position = next;
    if (next === undefined) this.#leaf = 0;
  }

  #walkLeaves(from: number, limit: number): void {
    const to = Math.min(from + limit, LEAF_COUNT);
    for (let leaf = from; leaf < to; leaf += 1) this.#map.digestEntries(LEAF_LEVEL, leaf);
    this.#checked += to - from;
    this.#leaf = to < LEAF_COUNT ? to : undefined;
    if (this.#leaf === undefined) this.#rounds += 1;
  }

  /** Reading a damaged record marks it. */
  #mark(key: string): void {
    try {
      this.#map.peek(key);
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      if (!error.marked) this.#damaged += 1;
    }
  }

  /** Goes on by itself, slice after slice, until {@linkcode Scrub.stop} or until the engine is closed. */
  start(options: ScrubOptions = {}): void {
    const { pauseMs = 100, sliceRows = 256 } = options;
    this.stop();
    this.#timer = setInterval(() => {
      try {
        this.step(sliceRows);
      } catch {
        this.stop(); // closed, or failed: the engine tells its listener
      }
    }, pauseMs).unref();
  }

  /** Stops what {@linkcode Scrub.start} has started. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
