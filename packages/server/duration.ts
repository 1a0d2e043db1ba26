const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Longest duration that is taken: a hundred years. */
export const maxDurationMs = 100 * 365 * 86_400_000;

/** About the longest time that `setTimeout` can wait: 24 days; anything longer is for ever. */
export const maxTimerMs = 2_147_000_000;

/** How {@link parseDuration} reads. */
export interface DurationOptions {
  /** The unit of a bare number, `s` for example. Default: none, a bare number is refused. */
  readonly bare?: "ms" | "s";
}

/**
 * Reads a duration: a whole number and a unit (`ms s m h d`), `500ms` or `15m`.
 *
 * @param text what was typed
 * @param options the unit of a bare number
 * @returns milliseconds, from 1 to a hundred years; undefined if the text is no such duration
 */
export function parseDuration(text: string, options: DurationOptions = {}): number | undefined {
  const match = /^([0-9]{1,15})(ms|s|m|h|d)?$/.exec(text);
  if (match === null) return undefined;
  const unit = match[2] ?? options.bare;
  if (unit === undefined) return undefined;
  const durationMs = Number(match[1]) * (unitMs[unit] ?? NaN);
  return durationMs >= 1 && durationMs <= maxDurationMs ? durationMs : undefined;
}
