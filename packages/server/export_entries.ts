import { versionToEtag } from "@dnd/client";
import type { Entry } from "@dnd/store";
import { base64, decode, timeText, unknownType } from "./entry_text.ts";
import { listNow } from "./live_entry.ts";
import type { NodeCore } from "./node_core.ts";
import { toNodeError } from "./node_error.ts";
import { PageSize } from "./page_size.ts";

/** One entry as a line of an export, without the line end. */
export function exportLine(entry: Entry): string {
  const text = decode(entry.value);
  return JSON.stringify({
    key: entry.key,
    encoding: text === undefined ? "base64" : "utf8",
    value: text ?? base64(entry.value),
    contentType: entry.contentType ?? unknownType,
    ...(entry.expiresAt === undefined ? {} : { expires: timeText(entry.expiresAt) }),
    etag: versionToEtag(entry.version),
  });
}

/**
 * All live entries in key order, a chunk of lines at a time. The reader sets the pace: the next chunk
 * is made when it is asked for. A key that changes meanwhile is seen before or after.
 *
 * @throws {DndError} `not-ready`, before the first chunk
 */
export function exportEntries(node: NodeCore, prefix: string): Iterable<string> {
  listNow(node, "export");
  return chunks(node, prefix);
}

function readPage(
  node: NodeCore,
  place: { readonly prefix: string; readonly after?: string; readonly limit: number },
): readonly Entry[] {
  try {
    const now = node.readNow() ?? node.now();
    return node.map.entries({ ...place, now });
  } catch (error) {
    throw toNodeError(error);
  }
}

function* chunks(node: NodeCore, prefix: string): Generator<string, void, void> {
  const size = new PageSize();
  let after: string | undefined;
  for (;;) {
    const place = after === undefined ? {} : { after };
    const limit = size.entries;
    const page = readPage(node, { ...place, prefix, limit });
    size.add(page);
    const last = page.at(-1);
    if (last === undefined) return;
    // A chunk a line when values are large, so that memory holds one of them at a time as text.
    let chunk = "";
    for (const entry of page) {
      chunk += `${exportLine(entry)}\n`;
      if (chunk.length >= 64 * 1024) {
        yield chunk;
        chunk = "";
      }
    }
    if (chunk !== "") yield chunk;
    if (page.length < limit) return;
    after = last.key;
  }
}
