/**
 * Wall time that does not believe steps (rule 8): a driver reads its clock through it. When the wall
 * clock moves against the monotonic one by more than the drift bound, time goes on as before until the
 * median of the other members agrees with the new time; a node that knows nobody else believes at once.
 */
export class BelievedClock {
  readonly #maxDriftMs: number;
  #offset: number | undefined;

  constructor(options: { readonly maxDriftMs: number }) {
    this.#maxDriftMs = options.maxDriftMs;
  }

  /**
   * The time to go by, in milliseconds since 1970.
   *
   * @param wall what the wall clock says
   * @param monotonic what a clock says that never steps, in milliseconds
   * @param medianMs how far the median of the members' clocks is ahead of the time believed here
   * (`Replicator.medianMs`); `undefined` if no other clock is known
   */
  read(wall: number, monotonic: number, medianMs: number | undefined): number {
    this.#offset ??= wall - monotonic;
    const step = wall - (monotonic + this.#offset);
    const small = Math.abs(step) <= this.#maxDriftMs;
    const agreed = medianMs === undefined || Math.abs(medianMs - step) <= this.#maxDriftMs;
    if (small || agreed) this.#offset = wall - monotonic;
    return monotonic + this.#offset;
  }
}
