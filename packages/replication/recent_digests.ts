/** How many are kept: those of a second at most, of a node that takes tens of thousands of writes in one. */
const MOST = 16_384;

/** How far a peer may be behind and still count as one that follows. */
const LAG_MS = 1000;

/**
 * The digests that this replica had a moment ago. Under a steady load a peer that follows well never shows the
 * digest of now, and each exchange with it would list all that is on its way. But it shows one of these: then it
 * held, a moment ago, all that we did, and no difference between us lasts (rule 11).
 *
 * Nothing is promised by it: that takes equal digests, or an exchange (rule 1).
 */
export class RecentDigests {
  /** Rings: the digests, 48 bits of each, and when they were last known to be that of now. */
  readonly #digests: number[] = [];
  readonly #times: number[] = [];
  #last = -1;

  /** The digest of now. To be called after each change; what is not noted is not found. */
  note(digest: Uint8Array, now: number): void {
    const number = numberOf(digest);
    if (this.#digests[this.#last] !== number) {
      this.#last = (this.#last + 1) % MOST;
      this.#digests[this.#last] = number;
    }
    this.#times[this.#last] = now;
  }

  /** Whether this replica had such a digest less than a second ago. */
  had(digest: Uint8Array, now: number): boolean {
    const number = numberOf(digest);
    const { length } = this.#digests;
    for (let back = 0; back < length; back += 1) {
      const at = (this.#last - back + length) % length;
      const ageMs = now - (this.#times[at] ?? 0);
      if (ageMs > LAG_MS || ageMs < 0) return false; // below 0: the clock was set back
      if (this.#digests[at] === number) return true;
    }
    return false;
  }
}

function numberOf(digest: Uint8Array): number {
  let number = 0;
  for (let i = 0; i < 6; i += 1) number = number * 256 + (digest[i] ?? 0);
  return number;
}
