import { DndError, type CallOptions } from "@dnd/client";
import { checkOptions, type OptionChecks } from "@dnd/client/options";
import { maxTimerMs } from "./duration.ts";

/**
 * Runs one call under its signal and its time. What it began goes on when the caller stops waiting: a
 * write may or may not have happened then.
 *
 * @param what the call, for messages
 * @throws the signal's reason; {@link DndError} `timeout`, `invalid-argument` for an option that is
 *   unknown or wrong
 */
export async function withCall<T extends CallOptions, R>(
  what: string,
  options: T,
  checks: OptionChecks<T>,
  run: (signal: AbortSignal | undefined) => Promise<R>,
): Promise<R> {
  checkOptions(what, options, checks);
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  if (signal === undefined && timeoutMs === undefined) return run(undefined);
  let stop = (): void => undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    // A reason need not be an error: it is handed on as it is.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    // A write that waits for members has this time itself, and says how far it came: it goes first.
    const timer =
      timeoutMs === undefined || timeoutMs >= maxTimerMs
        ? undefined
        : setTimeout(() => reject(tookTooLong(timeoutMs)), timeoutMs + 50);
    stop = () => {
      signal?.removeEventListener("abort", onAbort);
      clearTimeout(timer);
    };
  });
  try {
    return await Promise.race([run(signal), stopped]);
  } finally {
    stop();
    stopped.catch(() => undefined);
  }
}

function tookTooLong(timeoutMs: number): DndError {
  return new DndError("timeout", `The call took more than ${timeoutMs} ms`, {
    status: 504,
    outcome: "unknown",
  });
}
