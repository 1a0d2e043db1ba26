/** Highest local health: times are at most nine times as long. */
export const MAX_LOCAL_HEALTH = 8;

/**
 * Lifeguard's local health multiplier (Dadgar, Phillips, Currey: *Lifeguard*, 2017, section IV.A): a
 * node that misses what it should get suspects itself first, and waits longer before it suspects
 * others. 0 is healthy.
 *
 * | what happened | change |
 * |---|---|
 * | a probe was answered | -1 |
 * | a probe failed, and nobody owed a nack | +1 |
 * | a probe failed and no nack came, for each that was owed | +1 |
 * | we had to refute what others said of us | +1 |
 * | a timer of our own was late, a socket failed | +1 |
 */
export class LocalHealth {
  #value = 0;
  #enabled: boolean;

  /** @param enabled false: the value stays 0 */
  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  get value(): number {
    return this.#value;
  }

  /** What probe times are multiplied with: 1 to 9. */
  get multiplier(): number {
    return this.#value + 1;
  }

  /** Moves the value, within 0 and {@linkcode MAX_LOCAL_HEALTH}. */
  add(change: number): void {
    if (!this.#enabled) return;
    this.#value = Math.min(MAX_LOCAL_HEALTH, Math.max(0, this.#value + change));
  }
}
