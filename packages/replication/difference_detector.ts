/** What one ping says of a peer's data. */
export type Comparison = "equal" | "different" | "incomparable";

interface Difference {
  count: number;
  since: number;
}

/** How a detector behaves. */
export interface DifferenceDetectorOptions {
  /** This node's id: of two, the smaller opens. */
  readonly self: string;
  readonly prng: () => number;
}

/**
 * Decides when a difference counts (rule 11): under load digests always differ for a moment, since
 * rumors are on their way. A mismatch counts when it was seen in at least three pings over at least two
 * seconds. Then, with jitter, the smaller id opens.
 *
 * In a large cluster one pair pings each other seldom. So mismatches are also counted over all peers:
 * a node that differs from whomever it meets, three times over two seconds and with no match between,
 * is most likely the one that lacks something, and opens whatever its id.
 */
export class DifferenceDetector {
  readonly #options: DifferenceDetectorOptions;
  readonly #peers = new Map<string, Difference>();
  #any: Difference = { count: 0, since: 0 };

  constructor(options: DifferenceDetectorOptions) {
    this.#options = options;
  }

  /**
   * Notes one comparison.
   *
   * @returns after how many milliseconds to open an exchange with this peer; `undefined`: do not
   */
  observe(peer: string, result: Comparison, now: number): number | undefined {
    if (result !== "different") {
      this.#peers.delete(peer);
      if (result === "equal") this.#any = { count: 0, since: now };
      return undefined;
    }
    let pair = this.#peers.get(peer);
    if (pair === undefined) this.#peers.set(peer, (pair = { count: 0, since: now }));
    pair.since = Math.min(pair.since, now); // the clock may be set back
    this.#any.since = this.#any.count === 0 ? now : Math.min(this.#any.since, now);
    pair.count += 1;
    this.#any.count += 1;
    if (counts(pair, now) && this.#options.self < peer) {
      this.#peers.delete(peer);
      return this.#options.prng() * JITTER_MS;
    }
    if (counts(this.#any, now)) {
      this.#any = { count: 0, since: now };
      return JITTER_MS + this.#options.prng() * JITTER_MS; // later: the smaller id goes first
    }
    return undefined;
  }

  /** A member is gone, or an exchange with it has begun: count anew. */
  reset(peer: string): void {
    this.#peers.delete(peer);
  }
}

const MIN_PINGS = 3;
const MIN_MS = 2000;
const JITTER_MS = 200;

function counts(difference: Difference, now: number): boolean {
  return difference.count >= MIN_PINGS && now - difference.since >= MIN_MS;
}
