import { BelievedClock } from "@dnd/replication";

/** The clocks of the machine. */
export interface MachineClocks {
  /** Milliseconds since 1970; may step. Default `Date.now`. */
  readonly wall?: () => number;
  /** Milliseconds since some moment; never steps. Default `performance.now`. */
  readonly monotonic?: () => number;
}

/** The wall clock and the monotonic one may differ by so much between two readings: they are two readings. */
const toleranceMs = 1;

/**
 * The time that a node goes by (rule 8): its wall clock, except that a step of it beyond the drift bound
 * is not believed until the median of the other members agrees, or while nobody else is known.
 */
export class NodeClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  readonly #maxDriftMs: number;
  readonly #believed: BelievedClock;
  readonly #onStep: (stepMs: number) => void;
  #median: () => number | undefined = () => undefined;
  #offset = NaN;
  #disbelieves = false;

  /** @param options the drift bound, and who hears of a step that is not believed, in milliseconds */
  constructor(
    options: { readonly maxDriftMs: number; readonly onStep: (stepMs: number) => void },
    clocks: MachineClocks = {},
  ) {
    this.#wall = clocks.wall ?? Date.now;
    this.#monotonic = clocks.monotonic ?? (() => performance.now());
    this.#maxDriftMs = options.maxDriftMs;
    this.#onStep = options.onStep;
    this.#believed = new BelievedClock({ maxDriftMs: options.maxDriftMs });
  }

  /**
   * From now on this says how far the median of the members' clocks is ahead of {@link now}: undefined if there is
   * nobody else, infinity if there is and none of their clocks was heard.
   */
  follow(median: () => number | undefined): void {
    this.#median = median;
  }

  /** Milliseconds since 1970, a whole number. */
  readonly now = (): number => {
    const wall = this.#wall();
    const monotonic = this.#monotonic();
    // The common case, without a look at the others.
    if (Math.abs(wall - monotonic - this.#offset) <= toleranceMs) {
      this.#disbelieves = false;
      return wall;
    }
    const now = Math.round(this.#believed.read(wall, monotonic, this.#median()));
    this.#offset = now - monotonic;
    const stepMs = wall - now;
    const disbelieves = Math.abs(stepMs) > this.#maxDriftMs;
    if (disbelieves && !this.#disbelieves) this.#onStep(stepMs);
    this.#disbelieves = disbelieves;
    return now;
  };
}
