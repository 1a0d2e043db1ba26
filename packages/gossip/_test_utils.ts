/**
 * Waits for a condition, with a deadline.
 *
 * @param condition asked every few milliseconds
 * @param options `ms`: the deadline, default 10 s; `what`: named in the error
 */
export async function until(
  condition: () => boolean,
  options: { ms?: number; what?: string } = {},
): Promise<void> {
  const { ms = 10_000, what = condition.toString() } = options;
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise<void>((resolve) => void setTimeout(resolve, 5));
  }
}
