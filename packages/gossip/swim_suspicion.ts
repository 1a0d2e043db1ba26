/** Bounds of the time from *suspect* to *dead*. */
export interface SuspicionBounds {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * Least and most time from *suspect* to *dead*:
 * `min = suspicionMult * max(1, log10(members)) * probeIntervalMs`, `max = suspicionMaxMult * min`.
 */
export function suspicionBounds(
  timing: {
    readonly suspicionMult: number;
    readonly suspicionMaxMult: number;
    readonly probeIntervalMs: number;
  },
  members: number,
): SuspicionBounds {
  const scale = Math.max(1, Math.log10(Math.max(1, members)));
  const minMs = timing.suspicionMult * scale * timing.probeIntervalMs;
  return { minMs, maxMs: timing.suspicionMaxMult * minMs };
}

/**
 * Time from *suspect* to *dead* (Lifeguard, section IV.B): it starts at the maximum and falls
 * logarithmically with each independent confirmation, to the minimum at `expected`.
 *
 * Other than memberlist's, it starts at the maximum in small clusters too: only where nobody is left
 * who could confirm (`expected` = 0) it is twice the minimum, and a failed stream probe is asked for
 * besides (RULES 21).
 *
 * @param confirmations accusers beside the first one; a refused connection counts as one
 * @param expected K = min(3, live unsuspected others)
 */
export function suspicionTimeout(
  confirmations: number,
  expected: number,
  bounds: SuspicionBounds,
): number {
  if (expected <= 0) return Math.min(bounds.maxMs, 2 * bounds.minMs);
  const share = Math.log(1 + Math.max(0, confirmations)) / Math.log(1 + expected);
  const wait = bounds.maxMs - share * (bounds.maxMs - bounds.minMs);
  return Math.max(bounds.minMs, wait);
}
