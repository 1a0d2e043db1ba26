import type { Entry } from "@dnd/store";
import { behindPrefix } from "./key_order.ts";
import { listNow } from "./live_entry.ts";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument, toNodeError } from "./node_error.ts";
import { PageSize } from "./page_size.ts";

/** Most items and prefixes of one page. */
export const maxListLimit = 1000;

/** A page with values ends when it holds so many bytes of them, so that no page is without bound. */
const pageValueBytes = 4 * 1024 * 1024;

const noBytes = new Uint8Array(0);

/** What is listed. */
export interface ListKeysOptions {
  readonly prefix?: string | undefined;
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly values?: boolean | undefined;
  readonly delimiter?: string | undefined;
}

/** An entry of a page; its value is empty unless values were asked for. */
export interface ListedEntry extends Entry {
  /** Bytes of the value as it is stored. */
  readonly size: number;
}

/** One page, before it is dressed for HTTP or for the library. */
export interface KeyPage {
  readonly entries: readonly ListedEntry[];
  readonly prefixes: readonly string[];
  readonly cursor?: string;
  readonly event: string;
}

/** Where the next page begins: after a key, or at one. */
interface Place {
  readonly after?: string;
  readonly from?: string;
}

function writeCursor(place: Place): string {
  const text = place.after === undefined ? `f${place.from ?? ""}` : `a${place.after}`;
  return Buffer.from(text).toString("base64url");
}

function readCursor(cursor: string): Place {
  const text = Buffer.from(cursor, "base64url").toString();
  const key = text.slice(1);
  const place = text.startsWith("a") ? { after: key } : { from: key };
  if (key === "" || writeCursor(place) !== cursor) {
    throw invalidArgument("Cannot list: the cursor is not one of an earlier page");
  }
  return place;
}

/**
 * One page of live keys in the order of their UTF-8 bytes.
 *
 * @throws {DndError} `invalid-argument`, and `not-ready` while the first copy runs
 */
export function listKeys(node: NodeCore, options: ListKeysOptions): KeyPage {
  const { prefix = "", limit = 100 } = options;
  // Written out and empty, as in the manual's `?prefix=&limit=100&cursor=&delimiter=`: as if it were not there.
  const cursor = options.cursor === "" ? undefined : options.cursor;
  const delimiter = options.delimiter === "" ? undefined : options.delimiter;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > maxListLimit) {
    throw invalidArgument(`Cannot list: limit is ${limit}, write 1 to ${maxListLimit}`);
  }
  let place: Place | undefined = cursor === undefined ? {} : readCursor(cursor);
  const now = listNow(node, "list keys");
  const event = node.feed.idOf(node.map.counter);
  const entries: ListedEntry[] = [];
  const size = new PageSize();
  const prefixes: string[] = [];
  let valueBytes = 0;
  try {
    while (place !== undefined) {
      const room = limit - entries.length - prefixes.length;
      if (room === 0) break;
      const step = Math.min(room, size.entries);
      const found: Entry[] = node.map.entries({ ...place, prefix, limit: step, now });
      size.add(found);
      const reached: Place | undefined =
        found.length < step ? undefined : { after: found.at(-1)?.key ?? "" };
      let jump: Place | undefined;
      for (const entry of found) {
        const end = delimiter === undefined ? -1 : entry.key.indexOf(delimiter, prefix.length);
        if (end === -1 || delimiter === undefined) {
          // Without its value: a thousand keys of a megabyte each are asked for by their names.
          const value = options.values === true ? entry.value : noBytes;
          const { key, version, contentType, expiresAt } = entry;
          entries.push({ key, value, version, contentType, expiresAt, size: entry.value.length });
          valueBytes += entry.value.length;
          continue;
        }
        const common = entry.key.slice(0, end + delimiter.length);
        prefixes.push(common);
        // Go on behind everything that this prefix sums up, however much it is.
        const from = behindPrefix(common);
        jump = from === undefined ? {} : { from };
        break;
      }
      if (jump === undefined) place = reached;
      else place = jump.from === undefined ? undefined : jump;
      if (options.values === true && valueBytes >= pageValueBytes) break;
    }
    const more =
      place !== undefined && node.map.entries({ ...place, prefix, limit: 1, now }).length > 0;
    return {
      entries,
      prefixes,
      event,
      ...(more && place !== undefined ? { cursor: writeCursor(place) } : {}),
    };
  } catch (error) {
    throw toNodeError(error);
  }
}
