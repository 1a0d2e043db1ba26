import { DndError, versionToEtag } from "@dnd/client";
import { liveEntry } from "./live_entry.ts";
import { invalidArgument, notReady } from "./node_error.ts";
import type { NodeCore } from "./node_core.ts";

/** The conditions of a write. */
export interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

/** Reads the field value of If-Match or If-None-Match (RFC 9110, 13.1): `*` or a list of entity tags. */
export function parseEtags(text: string, name: string): "*" | readonly string[] {
  const trimmed = text.trim();
  if (trimmed === "*") return "*";
  const tags: string[] = [];
  const pattern = /\s*((?:W\/)?"[\x21\x23-\x7e\x80-\uffff]*")\s*(?:,|$)/y;
  while (pattern.lastIndex < trimmed.length) {
    const match = pattern.exec(trimmed);
    if (match?.[1] === undefined) {
      throw invalidArgument(`Cannot read ${name}: write * or entity tags in double quotes`);
    }
    tags.push(match[1]);
  }
  if (tags.length === 0) throw invalidArgument(`Cannot read ${name}: it is empty`);
  return tags;
}

/** Whether If-None-Match names this entity tag (weak comparison). */
export function matchesNone(header: string, etag: string): boolean {
  const tags = parseEtags(header, "If-None-Match");
  return tags === "*" || tags.some((tag) => tag === etag || tag === `W/${etag}`);
}

/** The conditions of a read. */
export interface ReadConditions extends Conditions {
  readonly ifModifiedSince?: string | undefined;
  readonly ifUnmodifiedSince?: string | undefined;
}

/**
 * Whether a read is answered with the value or only with its headers (304), in the order of RFC 9110, 13.2.2.
 *
 * @param held what the node holds; of a key that is absent no condition is looked at (13.2.1)
 * @throws {DndError} `precondition-failed`, `invalid-argument`
 */
export function readsValue(
  held: { readonly etag: string; readonly modifiedMs: number },
  { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince }: ReadConditions,
): boolean {
  const { etag } = held;
  // A date has seconds, and so has Last-Modified.
  const modifiedMs = Math.floor(held.modifiedMs / 1000) * 1000;
  if (ifMatch !== undefined) {
    const wanted = parseEtags(ifMatch, "If-Match");
    if (wanted !== "*" && !wanted.includes(etag)) {
      throw failed(`Cannot read: If-Match is ${ifMatch}, but the node holds ${etag}`);
    }
  } else if (modifiedMs > (parseHttpDate(ifUnmodifiedSince) ?? Infinity)) {
    throw failed(
      `Cannot read: If-Unmodified-Since is ${ifUnmodifiedSince}, but the value is of ${new Date(modifiedMs).toUTCString()}`,
    );
  }
  if (ifNoneMatch !== undefined) return !matchesNone(ifNoneMatch, etag);
  return modifiedMs > (parseHttpDate(ifModifiedSince) ?? -Infinity);
}

const httpDates: readonly RegExp[] = [
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT$/,
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/,
];

/**
 * Reads a date in any of the three forms of RFC 9110, 5.6.7.
 *
 * @returns ms since 1970; undefined for what is none, which is as if the field were not there (13.1.3, 13.1.4)
 */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !httpDates.some((form) => form.test(text))) return undefined;
  const ms = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  return Number.isNaN(ms) ? undefined : ms;
}

/**
 * Checks the conditions of a write against what this node holds. Advisory between nodes.
 *
 * @throws {DndError} `precondition-failed`, `not-ready`, `invalid-argument`; nothing was written
 */
export function checkConditions(node: NodeCore, key: string, conditions: Conditions): void {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifMatch === undefined && ifNoneMatch === undefined) return;
  const wanted = ifMatch === undefined ? undefined : parseEtags(ifMatch, "If-Match");
  const refused = ifNoneMatch === undefined ? undefined : parseEtags(ifNoneMatch, "If-None-Match");
  if (!node.ready) {
    const reasons = node.readiness().reasons ?? [];
    throw notReady("check the condition", { outcome: "not-applied", reasons });
  }
  const entry = liveEntry(node, key, "check the condition", "not-applied");
  const etag = entry === undefined ? undefined : versionToEtag(entry.version);
  const holds = etag === undefined ? "the node holds no such key" : `the node holds ${etag}`;
  if (wanted !== undefined && (etag === undefined || (wanted !== "*" && !wanted.includes(etag)))) {
    throw failed(`Cannot write: If-Match is ${ifMatch}, but ${holds}`);
  }
  if (refused !== undefined && etag !== undefined) {
    if (refused === "*" || refused.some((tag) => tag === etag || tag === `W/${etag}`)) {
      throw failed(`Cannot write: If-None-Match is ${ifNoneMatch}, but ${holds}`);
    }
  }
}

function failed(message: string): DndError {
  return new DndError("precondition-failed", message, { status: 412, outcome: "not-applied" });
}
