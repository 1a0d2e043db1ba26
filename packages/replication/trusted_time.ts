/** Clock differences of the members, and what follows from them (rule 8). */
export class TrustedTime {
  readonly #maxDriftMs: number;
  readonly #offsets = new Map<string, number>();
  /** All clocks against ours in order, ours among them; `undefined` when one has changed since. */
  #sorted: number[] | undefined;

  constructor(options: { readonly maxDriftMs: number }) {
    this.#maxDriftMs = options.maxDriftMs;
  }

  /**
   * Notes what a packet said of its sender's wall clock.
   *
   * @param wall the sender's wall clock
   * @param now ours when it came; `rttMs`, if known, gives the age of the packet
   */
  observe(
    peer: string,
    { wall, now, rttMs }: { readonly wall: number; readonly now: number; readonly rttMs?: number },
  ): void {
    this.#offsets.set(peer, wall + (rttMs ?? 0) / 2 - now);
    this.#sorted = undefined;
  }

  /** A member that is not heard any more has no say. */
  forget(peer: string): void {
    this.#offsets.delete(peer);
    this.#sorted = undefined;
  }

  /** The difference of a member's clock to ours, in milliseconds; positive: it is ahead. */
  offset(peer: string): number | undefined {
    return this.#offsets.get(peer);
  }

  /**
   * The later of wall time and the median of all clocks, ours among them. Of an even number the lower
   * middle counts: one of two that disagree is not believed when it is ahead.
   */
  trusted(now: number): number {
    return now + Math.max(0, this.#median("lower"));
  }

  /**
   * Wall time, set back to the median if that is behind it. Promises and expiry go by it: a clock that is
   * wrong may be set back later (rule 8), and what was promised by it would be broken. Of an even number
   * the lower middle counts: of two that disagree the earlier one, because a value that was dropped too
   * early does not come back.
   */
  sober(now: number): number {
    return now + Math.min(0, this.#median("lower"));
  }

  /**
   * Wall time, set right to the median if it is off by more than the drift bound: what a reader takes values for
   * expired by. Of an even number the lower middle counts, as for {@link sober}.
   */
  corrected(now: number): number {
    const offsetMs = this.#median("lower");
    return Math.abs(offsetMs) > this.#maxDriftMs ? now + offsetMs : now;
  }

  /**
   * How far our own clock is ahead of the median, the upper middle of an even number: one single other
   * node cannot convince us that we are wrong. Negative: behind.
   */
  aheadMs(): number {
    return -this.#median("upper");
  }

  /** Whether at least one other clock is known. */
  get confirmed(): boolean {
    return this.#offsets.size > 0;
  }

  /** Whether our clock is ahead of what most say by more than the drift bound. */
  get skewed(): boolean {
    return this.aheadMs() > this.#maxDriftMs;
  }

  /** If there is one other clock only, and it disagrees: who, and by how much. */
  disagreement(): { readonly peer: string; readonly offsetMs: number } | undefined {
    if (this.#offsets.size !== 1) return undefined;
    for (const [peer, offsetMs] of this.#offsets) {
      if (Math.abs(offsetMs) > this.#maxDriftMs) return { peer, offsetMs };
    }
    return undefined;
  }

  #median(middle: "lower" | "upper"): number {
    this.#sorted ??= [0, ...this.#offsets.values()].sort((a, b) => a - b);
    const all = this.#sorted;
    const index = middle === "lower" ? (all.length - 1) >> 1 : all.length >> 1;
    return all[index] ?? 0;
  }
}
