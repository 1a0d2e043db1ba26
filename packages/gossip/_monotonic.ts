/**
 * Milliseconds of a clock that never steps and that all threads of the process share, which
 * `performance.now()` does not: each thread has its own origin there.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
