import { DndError, type Outcome } from "@dnd/client";
import { InputRangeError, InputTypeError, StorageError } from "@dnd/store";

const inputStatus: Readonly<Record<string, number>> = {
  "invalid-key": 400,
  "key-too-large": 400,
  "invalid-argument": 400,
  "value-too-large": 413,
};

/**
 * Translates what the store throws into the errors of the {@link KeyValue} interface; anything else
 * comes back as it is.
 */
export function toNodeError(error: unknown): unknown {
  if (error instanceof InputTypeError || error instanceof InputRangeError) {
    return new DndError(error.code, error.message, {
      status: inputStatus[error.code] ?? 400,
      outcome: "not-applied",
      cause: error,
    });
  }
  if (error instanceof StorageError) {
    const outcome = error.outcome;
    switch (error.code) {
      case "storage-full":
        return new DndError("storage-full", error.message, { status: 507, outcome, cause: error });
      case "overloaded":
        return new DndError("too-many-requests", error.message, {
          status: 429,
          outcome,
          retryAfterMs: 1000,
          cause: error,
        });
      case "storage-failed":
      case "damaged":
      case "closed":
        return new DndError("storage-failed", error.message, {
          status: 503,
          outcome,
          cause: error,
        });
    }
  }
  return error;
}

/** An argument that cannot be used: status 400, nothing stored. */
export function invalidArgument(message: string): DndError {
  return new DndError("invalid-argument", message, { status: 400, outcome: "not-applied" });
}

/** The node cannot know yet (rule 12). @param reasons what the node says of it, if it says anything */
export function notReady(
  what: string,
  {
    outcome,
    reasons = [],
  }: { readonly outcome?: Outcome; readonly reasons?: readonly string[] } = {},
): DndError {
  const why = reasons.length > 0 ? reasons.join("; ") : "the node's first copy is not complete";
  return new DndError("not-ready", `Cannot ${what}: ${why}`, {
    status: 503,
    retryAfterMs: 1000,
    ...(outcome === undefined ? {} : { outcome }),
  });
}
