import type { Version } from "./key_value_types.ts";

/**
 * Formats a version as the entity tag of the HTTP interface, quotes included.
 *
 * @example
 * ```ts
 * import { versionToEtag } from "@dnd/client";
 *
 * versionToEtag({ time: 42, node: "a" }); // '"42-a"'
 * ```
 */
export function versionToEtag(version: Version): string {
  return `"${version.time}-${version.node}"`;
}

/**
 * Reads an entity tag.
 *
 * @param etag with or without its quotes
 * @returns the version, undefined if the tag is none
 */
export function etagToVersion(etag: string): Version | undefined {
  const match = /^(?:"(\d{1,16})-([a-z0-9]{1,32})"|(\d{1,16})-([a-z0-9]{1,32}))$/.exec(etag);
  if (match === null) return undefined;
  const time = Number(match[1] ?? match[3]);
  return Number.isSafeInteger(time) ? { time, node: String(match[2] ?? match[4]) } : undefined;
}

/** Milliseconds since 1970 at which the clock of versions starts: 2026-01-01T00:00:00Z. */
const CLOCK_ORIGIN_MS = 1_767_225_600_000;

/** When a version was written, in milliseconds since 1970. */
export function versionToMs(version: Version): number {
  return CLOCK_ORIGIN_MS + Math.floor(version.time / 4096);
}
