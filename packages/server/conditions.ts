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
