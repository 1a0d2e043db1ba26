import { DndError } from "./dnd_error.ts";
import type { WriteConcern } from "./key_value_types.ts";

/** A refusal of an argument, before anything was sent. */
export function invalidArgument(message: string, cause?: unknown): DndError {
  return new DndError("invalid-argument", message, { status: 400, outcome: "not-applied", cause });
}

/** A time to live as the HTTP interface takes it: whole seconds, or milliseconds with their unit. */
export function formatTtl(ttlMs: number): string {
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1) {
    throw invalidArgument(
      `Cannot use ttlMs ${ttlMs}: it must be a whole number of milliseconds from 1`,
    );
  }
  return ttlMs % 1000 === 0 ? `${ttlMs / 1000}s` : `${ttlMs}ms`;
}

/** A write concern as the HTTP interface takes it. */
export function formatWriteConcern(w: WriteConcern): string {
  if (w === "one" || w === "quorum" || w === "all") return w;
  if (typeof w === "number" && Number.isSafeInteger(w) && w >= 1) return String(w);
  throw invalidArgument(
    `Cannot use w ${String(w)}: it must be a whole number from 1, one, quorum or all`,
  );
}

/** Checks a media type: `type/subtype` with printable parameters, at most 255 bytes (rule 4). */
export function checkContentType(contentType: string): void {
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
  if (
    contentType.length > 255 ||
    !new RegExp(`^${token}/${token}[ \\t]*(;[\\t\\x20-\\x7e]*)?$`).test(contentType)
  ) {
    throw invalidArgument(
      `Cannot use content type ${JSON.stringify(contentType)}: it must be type/subtype, at most 255 bytes`,
    );
  }
}

/** About the longest time that `setTimeout` can wait; anything longer is for ever. */
const MAX_TIMER_MS = 2_147_000_000;

/** Checks a timeout. @returns milliseconds; Infinity when it is longer than a timer can wait */
export function checkTimeout(timeoutMs: number | undefined, defaultMs: number): number {
  const value = timeoutMs ?? defaultMs;
  if (typeof value !== "number" || !(value > 0)) {
    throw invalidArgument(`Cannot use timeoutMs ${value}: it must be more than 0`);
  }
  return value > MAX_TIMER_MS ? Infinity : value;
}
