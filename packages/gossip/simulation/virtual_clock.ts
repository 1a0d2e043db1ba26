/**
 * Time that passes only when somebody runs it. Events due at the same moment run in the order in which
 * they were scheduled, so a run depends on nothing but its inputs.
 *
 * The queue is a binary heap over three parallel arrays: no allocation for an event but its callback.
 */
export class VirtualClock {
  #now: number;
  #size = 0;
  #order = 0;
  #executed = 0;
  #at: Float64Array = new Float64Array(1024);
  #sequence: Float64Array = new Float64Array(1024);
  #run: (() => void)[] = [];

  /** @param startMs first value of {@linkcode now}; default 0 */
  constructor(startMs = 0) {
    this.#now = startMs;
  }

  /** Milliseconds since the start of the simulation. */
  get now(): number {
    return this.#now;
  }

  /** Events waiting. */
  get pending(): number {
    return this.#size;
  }

  /** Events run so far. */
  get executed(): number {
    return this.#executed;
  }

  /** Runs `run` in `delayMs` of virtual time; a negative or odd delay counts as 0. */
  schedule(delayMs: number, run: () => void): void {
    const at = this.#now + (delayMs > 0 ? delayMs : 0);
    if (this.#size === this.#at.length) this.#grow();
    const sequence = this.#order++;
    let hole = this.#size++;
    while (hole > 0) {
      const parent = (hole - 1) >>> 1;
      if ((this.#at[parent] as number) <= at) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#place(hole, at, sequence, run);
  }

  /** Runs one event. Returns false when there is none. */
  step(): boolean {
    if (this.#size === 0) return false;
    const run = this.#run[0] as () => void;
    this.#now = this.#at[0] as number;
    this.#removeFirst();
    this.#executed += 1;
    run();
    return true;
  }

  /** Runs everything that is due within the next `durationMs`, then stands at its end. */
  run(durationMs: number): void {
    const end = this.#now + durationMs;
    while (this.#size > 0 && (this.#at[0] as number) <= end) this.step();
    this.#now = end;
  }

  /**
   * Runs until the condition holds, looked at every `everyMs` (default 10) of virtual time.
   *
   * @returns the virtual milliseconds that passed, or `undefined` if it did not hold within `limitMs`
   */
  runUntil(
    condition: () => boolean,
    options: { readonly limitMs: number; readonly everyMs?: number },
  ): number | undefined {
    const start = this.#now;
    const every = options.everyMs ?? 10;
    while (!condition()) {
      if (this.#now - start >= options.limitMs) return undefined;
      this.run(every);
    }
    return this.#now - start;
  }

  #removeFirst(): void {
    const last = --this.#size;
    const at = this.#at[last] as number;
    const sequence = this.#sequence[last] as number;
    const run = this.#run[last] as () => void;
    this.#run.length = last;
    if (last === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#before(child + 1, child)) child += 1;
      const childAt = this.#at[child] as number;
      if (childAt > at || (childAt === at && (this.#sequence[child] as number) > sequence)) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#place(hole, at, sequence, run);
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#at[a] as number) - (this.#at[b] as number);
    if (difference !== 0) return difference < 0;
    return (this.#sequence[a] as number) < (this.#sequence[b] as number);
  }

  #move(from: number, to: number): void {
    this.#at[to] = this.#at[from] as number;
    this.#sequence[to] = this.#sequence[from] as number;
    this.#run[to] = this.#run[from] as () => void;
  }

  #place(index: number, at: number, sequence: number, run: () => void): void {
    this.#at[index] = at;
    this.#sequence[index] = sequence;
    this.#run[index] = run;
  }

  #grow(): void {
    const at = new Float64Array(this.#at.length * 2);
    const sequence = new Float64Array(this.#at.length * 2);
    at.set(this.#at);
    sequence.set(this.#sequence);
    this.#at = at;
    this.#sequence = sequence;
  }
}
