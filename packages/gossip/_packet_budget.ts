/** Sources that are counted at a time. */
const maxSources = 4_096;

interface Source {
  left: number;
  at: number;
}

/**
 * How many packets one sender may have read in a second, and as many at once after a pause. Packets are free to
 * send and dear to read: a sender that floods, by a fault or on purpose, with packets that are valid, would
 * keep the thread from the pings of everybody else. What is over is dropped before it is looked at.
 *
 * Sources are addresses, which without keys anybody can forge: then only the bound on memory holds.
 */
export class PacketBudget {
  readonly #perSecond: number;
  readonly #sources = new Map<string, Source>();

  /** @param perSecond packets of one sender in a second, at least 1 */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Sources that are remembered. */
  get size(): number {
    return this.#sources.size;
  }

  /**
   * Takes one packet.
   *
   * @param from `host:port` of the sender
   * @param now ms of a monotonic clock
   * @returns false when it is over the budget
   */
  take(from: string, now: number): boolean {
    let source = this.#sources.get(from);
    if (source === undefined) {
      if (this.#sources.size >= maxSources) this.#sources.clear();
      source = { left: this.#perSecond, at: now };
      this.#sources.set(from, source);
    }
    const earned = ((now - source.at) * this.#perSecond) / 1000;
    source.left = Math.min(this.#perSecond, source.left + earned);
    source.at = now;
    if (source.left < 1) return false;
    source.left -= 1;
    return true;
  }
}
