/** How often the lateness of the event loop is measured. */
const everyMs = 100;

/**
 * Measures how late the event loop is, for the throttling of exchanges (rule 11).
 *
 * @param tell called ten times a second, with milliseconds
 * @returns stops it
 */
export function meterDelay(tell: (delayMs: number) => void): () => void {
  let due = performance.now() + everyMs;
  let wasLate = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    const late = Math.max(0, now - due);
    // One that is late alone is a collection of garbage, and no load.
    tell(Math.min(late, wasLate));
    wasLate = late;
    due = now + everyMs;
  }, everyMs);
  return () => clearInterval(timer);
}
