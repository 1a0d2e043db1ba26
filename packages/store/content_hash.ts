import { hashContent, lastHash, toBytes } from "./hash.ts";
import type { Entry } from "./entry.ts";
import { compareBytes } from "./_compare_bytes.ts";

/**
 * Whether an entry has dropped its value: it carries the hash of something else than it says. One that had nothing
 * to drop has not, whoever holds it: over the wire nobody could tell, and of two replicas that order
 * one version's contents differently each keeps its own for ever (rule 5).
 */
export function isStripped(entry: Entry): boolean {
  const { value, contentType, expiresAt, deleted, extra, hash } = entry;
  if (hash === undefined || expiresAt === undefined || value.length > 0) return false;
  if (deleted === true || contentType !== undefined || extra !== undefined) return false;
  return compareBytes(hash, computeHash(entry)) !== 0;
}

/** The content hash of an entry: the one that it carries, or that of its content. 8 bytes. */
export function hashOf(entry: Entry): Uint8Array {
  return entry.hash ?? computeHash(entry);
}

function computeHash(entry: Entry): Uint8Array {
  hashContent(entry);
  return toBytes(lastHash);
}
