import { DndError, type CallOptions } from "@dnd/client";
import { checkTimeout } from "./write.ts";

/**
 * Runs one call under its signal and its time. What it began goes on when the caller stops waiting: a
 * write may or may not have happened then.
 *
 * @throws the signal's reason, or {@link DndError} `timeout`
 */
export async function withCall<T>(
  options: CallOptions,
  run: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  checkTimeout(timeoutMs);
  if (signal === undefined && timeoutMs === undefined) return run(undefined);
  let stop = (): void => undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    // A reason need not be an error: it is handed on as it is.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    // A write that waits for members has this time itself, and says how far it came: it goes first.
    const timer =
      timeoutMs === undefined
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
