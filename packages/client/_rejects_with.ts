import { DndError, type Outcome } from "./dnd_error.ts";

/** Checks that a call rejects with a {@link DndError} of this code (and outcome), and returns it. */
export async function rejectsWith(
  call: Promise<unknown>,
  code: string,
  outcome?: Outcome,
): Promise<DndError> {
  let reason: unknown;
  try {
    await call;
  } catch (error) {
    reason = error;
  }
  if (!(reason instanceof DndError)) {
    throw new Error(
      `expected a DndError ${code}, got ${reason instanceof Error ? reason.message : "no error"}`,
    );
  }
  if (reason.code !== code || (outcome !== undefined && reason.outcome !== outcome)) {
    throw new Error(
      `expected ${code} (${outcome ?? "any outcome"}), got ${reason.code} (${reason.outcome}): ${reason.message}`,
    );
  }
  return reason;
}
