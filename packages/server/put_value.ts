import { DndError, type Receipt } from "@dnd/client";
import { checkConditions } from "./conditions.ts";
import { ttlFrom } from "./live_entry.ts";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument, toNodeError } from "./node_error.ts";
import {
  checkTtl,
  eventId,
  finishWrite,
  neededBy,
  type WriteOptions,
  type Written,
} from "./write.ts";

/** A value to store. */
export interface PutValueOptions extends WriteOptions {
  /** Its media type, checked here. */
  readonly contentType: string;
  readonly ttlMs?: number | undefined;
  /** The time that `ttlMs` counts from, in milliseconds since 1970. Default: the node's clock. */
  readonly now?: number | undefined;
}

// RFC 9110, 8.3.1: type "/" subtype, and parameters whose values are tokens or quoted strings.
const mediaType =
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*;[ \t]*(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"))?)*[ \t]*$/;

/**
 * Checks a media type: valid, 1 to 255 bytes (rule 4).
 *
 * @throws {DndError} `invalid-argument`
 */
export function checkContentType(contentType: string): void {
  if (contentType === "application/json") return;
  if (contentType.length > 255) {
    throw invalidArgument(
      `Cannot use the content type: ${contentType.length} bytes are more than 255`,
    );
  }
  if (!mediaType.test(contentType)) {
    throw invalidArgument(
      `Cannot use the content type ${JSON.stringify(contentType)}: write type/subtype`,
    );
  }
}

/** The error for a value above the node's limit. */
export function valueTooLarge(size: number | string, node: NodeCore): DndError {
  return new DndError(
    "value-too-large",
    `Cannot put: ${size} bytes are more than ${node.maxValueBytes}`,
    { status: 413, outcome: "not-applied" },
  );
}

/** Everything of a put but the waiting. The bytes go to the map as they are: hand over a copy. */
export function beginPut(
  node: NodeCore,
  key: string,
  bytes: Uint8Array,
  options: PutValueOptions,
): Written {
  node.checkOpen();
  checkContentType(options.contentType);
  checkTtl(options.ttlMs);
  if (bytes.length > node.maxValueBytes) throw valueTooLarge(bytes.length, node);
  const needed = neededBy(node, options.w);
  try {
    checkConditions(node, key, options);
    const { ttlMs, now } = options;
    const entry = node.map.put(key, bytes, {
      now: now ?? node.now(),
      contentType: options.contentType,
      ...(ttlMs === undefined ? {} : { ttlMs: now === undefined ? ttlFrom(node, ttlMs) : ttlMs }),
    });
    return { entry, needed, event: eventId(node) };
  } catch (error) {
    throw toNodeError(error);
  }
}

/**
 * Stores a value and waits until it is durable, and held by as many members as asked for.
 *
 * @returns the receipt itself where there is nothing to wait for
 */
export function putValue(
  node: NodeCore,
  key: string,
  bytes: Uint8Array,
  options: PutValueOptions,
): Receipt | PromiseLike<Receipt> {
  return finishWrite(node, beginPut(node, key, bytes, options), options);
}
