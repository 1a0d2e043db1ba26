/** Something that runs at its time. */
export interface Task {
  run(): void;
}

/**
 * Time that passes only when somebody runs it. Events due at the same moment run in the order in which
 * they were scheduled, so a run depends on nothing but its inputs.
 *
 * The queue is a binary heap of times beside the places where the events lie, all in typed arrays: an
 * event is moved by two numbers, and none is allocated for it.
 */
export class VirtualClock {
  #now: number;
  #size = 0;
  #scheduled = 0;
  #executed = 0;

  /** By position in the heap: when, and the place of the event. */
  #at: Float64Array = new Float64Array(1024);
  #place: Int32Array = new Int32Array(1024);

  /** By place: how many were scheduled before it, and what it does. */
  #order: Float64Array = new Float64Array(1024);
  #events: (Task | (() => void))[] = [];

  /** Places that are free, as a stack. */
  #free: Int32Array = new Int32Array(1024);
  #frees = 0;

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

  /** Runs `event` in `delayMs` of virtual time; a negative or odd delay counts as 0. */
  schedule(delayMs: number, event: Task | (() => void)): void {
    const at = this.#now + (delayMs > 0 ? delayMs : 0);
    if (this.#size === this.#at.length) this.#grow();
    const place = this.#frees > 0 ? (this.#free[--this.#frees] as number) : this.#events.length;
    this.#events[place] = event;
    this.#order[place] = this.#scheduled++;
    const times = this.#at;
    const places = this.#place;
    let hole = this.#size++;
    while (hole > 0) {
      const parent = (hole - 1) >>> 1;
      const parentAt = times[parent] as number;
      if (parentAt <= at) break;
      times[hole] = parentAt;
      places[hole] = places[parent] as number;
      hole = parent;
    }
    times[hole] = at;
    places[hole] = place;
  }

  /** Runs one event. Returns false when there is none. */
  step(): boolean {
    if (this.#size === 0) return false;
    const place = this.#place[0] as number;
    const event = this.#events[place] as Task | (() => void);
    this.#now = this.#at[0] as number;
    this.#events[place] = nothing;
    this.#free[this.#frees++] = place;
    this.#removeFirst();
    this.#executed += 1;
    if (typeof event === "function") event();
    else event.run();
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
    if (last === 0) return;
    const times = this.#at;
    const places = this.#place;
    const at = times[last] as number;
    const place = places[last] as number;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#isBefore(child + 1, child)) child += 1;
      const childAt = times[child] as number;
      if (childAt > at) break;
      if (childAt === at && this.#orderAt(child) > (this.#order[place] as number)) break;
      times[hole] = childAt;
      places[hole] = places[child] as number;
      hole = child;
    }
    times[hole] = at;
    places[hole] = place;
  }

  #isBefore(a: number, b: number): boolean {
    const difference = (this.#at[a] as number) - (this.#at[b] as number);
    if (difference !== 0) return difference < 0;
    return this.#orderAt(a) < this.#orderAt(b);
  }

  #orderAt(position: number): number {
    return this.#order[this.#place[position] as number] as number;
  }

  #grow(): void {
    const length = this.#at.length * 2;
    this.#at = grown(new Float64Array(length), this.#at);
    this.#order = grown(new Float64Array(length), this.#order);
    this.#place = grown(new Int32Array(length), this.#place);
    this.#free = grown(new Int32Array(length), this.#free);
  }
}

function grown<List extends Float64Array | Int32Array>(list: List, old: List): List {
  list.set(old);
  return list;
}

function nothing(): void {}
