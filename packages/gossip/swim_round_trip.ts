/**
 * A smoothed round trip and its deviation, as TCP keeps them (Jacobson, 1988; RFC 6298).
 * `samples` 0: nothing was measured yet.
 */
export interface RoundTrip {
  smoothedMs: number;
  deviationMs: number;
  samples: number;
}

/** Nothing measured. */
export function newRoundTrip(): RoundTrip {
  return { smoothedMs: 0, deviationMs: 0, samples: 0 };
}

/** Takes in one measured round trip; negative or odd ones count as 0. */
export function addRoundTrip(trip: RoundTrip, ms: number): void {
  const sample = ms > 0 ? ms : 0;
  if (trip.samples === 0) {
    trip.smoothedMs = sample;
    trip.deviationMs = sample / 2;
  } else {
    trip.deviationMs += (Math.abs(sample - trip.smoothedMs) - trip.deviationMs) / 4;
    trip.smoothedMs += (sample - trip.smoothedMs) / 8;
  }
  trip.samples = Math.min(trip.samples + 1, 1_000_000);
}

/**
 * How long to wait for a direct answer: `clamp(srtt + 4 * rttvar, minMs, maxMs)`. The member's own
 * round trips count from two samples on, those of all members from eight on, before that `maxMs`.
 */
export function probeTimeout(
  member: RoundTrip,
  all: RoundTrip,
  bounds: { readonly minMs: number; readonly maxMs: number },
): number {
  const trip = member.samples >= 2 ? member : all.samples >= 8 ? all : undefined;
  if (trip === undefined) return bounds.maxMs;
  const wait = trip.smoothedMs + 4 * trip.deviationMs;
  return Math.min(bounds.maxMs, Math.max(bounds.minMs, wait));
}
