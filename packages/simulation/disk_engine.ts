import {
  type Batch,
  type Engine,
  type EngineListener,
  type EngineState,
  type EngineStatistics,
  type Head,
  type MapState,
  MemoryEngine,
  type ScanOptions,
  type TimeIndex,
} from "@dnd/store";
import { newMapState, StoredEntry } from "@dnd/store/engine";

/** What a simulated disk holds: whole batches, in the order in which they were committed. */
export interface SimulatedDisk {
  batches: StoredBatch[];
  ceiling: number;
}

interface StoredBatch {
  readonly batch: Batch;
  readonly state: MapState;
}

/** How a {@linkcode DiskEngine} commits. */
export interface DiskEngineOptions {
  readonly disk: SimulatedDisk;
  /** Runs `run` after a commit's time, unless the process has ended by then. */
  readonly schedule: (run: () => void) => void;
}

/** A new, empty disk. */
export function newDisk(): SimulatedDisk {
  return { batches: [], ceiling: 0 };
}

const COMPACT_ABOVE = 400;

/**
 * An engine that commits late and forgets what was not committed when its process ends: what LMDB with
 * group commit is to a node, on virtual time. Everything that waits becomes one commit.
 */
export class DiskEngine implements Engine {
  readonly durable = true;
  readonly #inner = new MemoryEngine();
  readonly #disk: SimulatedDisk;
  readonly #schedule: (run: () => void) => void;
  #listener: EngineListener | undefined;
  #waiting: StoredBatch[] = [];
  #callbacks: (() => void)[] = [];
  #committing = false;
  #committedCounter = 0;

  constructor(options: DiskEngineOptions) {
    this.#disk = options.disk;
    this.#schedule = options.schedule;
    if (this.#disk.batches.length > COMPACT_ABOVE) compact(this.#disk);
    for (const stored of this.#disk.batches) {
      replay(this.#inner, stored);
      this.#committedCounter = stored.state.counter;
    }
  }

  /** Calls back when everything written so far is durable. */
  onCommitted(callback: () => void): void {
    this.#callbacks.push(callback);
    this.#begin();
  }

  get ceiling(): number {
    return this.#disk.ceiling;
  }

  get committedCounter(): number {
    return this.#committedCounter;
  }

  open(listener: EngineListener): EngineState {
    this.#listener = listener;
    return { ...this.#inner.open(listener), ceiling: this.#disk.ceiling };
  }

  write(batch: Batch): void {
    // Before the engine moves the values into its own memory.
    const changes = batch.changes.map(({ entry, ...change }) => ({
      ...change,
      entry: entry === undefined ? undefined : copyOf(entry),
    }));
    this.#inner.write(batch);
    const meta = new Map([...(batch.meta ?? [])].map(([name, bytes]) => [name, bytes?.slice()]));
    this.#waiting.push({ batch: { ...batch, changes, meta }, state: { ...batch.state } });
    this.#begin();
  }

  raiseCeiling(stamp: number): void {
    this.#disk.ceiling = Math.max(this.#disk.ceiling, stamp);
  }

  committed(): Promise<void> {
    return new Promise((resolve) => this.onCommitted(resolve));
  }

  get(key: string): StoredEntry | undefined {
    return this.#inner.get(key);
  }

  admit(): void {
    this.#inner.admit();
  }

  scan(options: ScanOptions): StoredEntry[] {
    return this.#inner.scan(options);
  }

  changes(after: number, limit: number): StoredEntry[] {
    return this.#inner.changes(after, limit);
  }

  heads(low: number, high: number): Iterable<Head> {
    return this.#inner.heads(low, high);
  }

  due(index: TimeIndex, upTo: number, limit: number): StoredEntry[] {
    return this.#inner.due(index, upTo, limit);
  }

  firstDue(index: TimeIndex): number | undefined {
    return this.#inner.firstDue(index);
  }

  damaged(limit: number): string[] {
    return this.#inner.damaged(limit);
  }

  meta(name: string): Uint8Array | undefined {
    return this.#inner.meta(name);
  }

  metaNames(): string[] {
    return this.#inner.metaNames();
  }

  statistics(): EngineStatistics {
    return this.#inner.statistics();
  }

  async close(): Promise<void> {
    this.#commit();
    await this.#inner.close();
  }

  #begin(): void {
    if (this.#committing) return;
    this.#committing = true;
    this.#schedule(() => this.#commit());
  }

  #commit(): void {
    this.#committing = false;
    const batches = this.#waiting;
    const callbacks = this.#callbacks;
    this.#waiting = [];
    this.#callbacks = [];
    for (const stored of batches) {
      this.#disk.batches.push(stored);
      const { ceiling, lowerCeiling } = stored.batch;
      this.#disk.ceiling = lowerCeiling === true ? ceiling : Math.max(this.#disk.ceiling, ceiling);
      this.#committedCounter = stored.state.counter;
    }
    if (batches.length > 0) this.#listener?.committed(this.#committedCounter);
    for (const callback of callbacks) callback();
  }
}

function copyOf(entry: StoredEntry): StoredEntry {
  return new StoredEntry({ ...entry, value: entry.value.slice() }, entry.marks);
}

/** Writes a batch with entries of its own: an engine in memory moves the values of those it holds. */
function replay(engine: MemoryEngine, { batch, state }: StoredBatch): void {
  const changes = batch.changes.map((change) => ({
    ...change,
    entry: change.entry === undefined ? undefined : copyOf(change.entry),
    previous: engine.get(change.key),
  }));
  engine.write({ ...batch, changes, state });
}

/** One batch in place of many. */
function compact(disk: SimulatedDisk): void {
  const engine = new MemoryEngine();
  let last: StoredBatch = {
    batch: { changes: [], state: newMapState(), ceiling: 0 },
    state: newMapState(),
  };
  for (const stored of disk.batches) {
    replay(engine, stored);
    last = stored;
  }
  const meta = new Map(engine.metaNames().map((name) => [name, engine.meta(name)]));
  const changes = engine
    .changes(0, Infinity)
    .map((entry) => ({ key: entry.key, entry, previous: undefined }));
  const batch: Batch = { changes, state: last.state, ceiling: disk.ceiling, meta };
  disk.batches = [{ batch, state: last.state }];
}
