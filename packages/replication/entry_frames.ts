import type { Entry } from "@dnd/store";
import { NO_BYTES } from "@dnd/store/engine";
import { entryBytes } from "./entry_bytes.ts";
import type { ReplicationFrame } from "./wire.ts";

/** A frame and about how many bytes it takes. */
export interface SizedFrame {
  readonly frame: ReplicationFrame;
  readonly bytes: number;
  /** Entries in it; a large entry counts with its last part. */
  readonly entries: number;
}

/** Bytes of a frame around its entries. */
const FRAME_BYTES = 24;

/** Bytes of a part around the entry's header and its share of the value. */
const PART_BYTES = 48;

/**
 * Packs entries into frames of `entries`, each filled up to a size; an entry that is larger than that
 * travels in parts (rule 4). Entries are taken from the source as frames are asked for.
 */
export function* entryFrames(
  source: Iterable<Entry>,
  { frameBytes, counter }: { readonly frameBytes: number; readonly counter: number },
): Generator<SizedFrame, void, void> {
  let entries: Entry[] = [];
  let bytes = FRAME_BYTES;
  const close = (): SizedFrame => {
    const full: SizedFrame = {
      frame: { type: "entries", counter, entries },
      bytes,
      entries: entries.length,
    };
    entries = [];
    bytes = FRAME_BYTES;
    return full;
  };
  for (const entry of source) {
    const size = entryBytes(entry);
    if (size > frameBytes) {
      if (entries.length > 0) yield close();
      yield* entryParts(entry, { frameBytes });
      continue;
    }
    if (bytes + size > frameBytes && entries.length > 0) yield close();
    entries.push(entry);
    bytes += size;
  }
  if (entries.length > 0) yield close();
}

/** The parts of one large entry. */
export function* entryParts(
  entry: Entry,
  { frameBytes }: { readonly frameBytes: number },
): Generator<SizedFrame, void, void> {
  const header = withoutValue(entry);
  const total = entry.value.length;
  const step = frameBytes - PART_BYTES;
  let offset = 0;
  while (offset < total) {
    const head = offset === 0 ? entryBytes(header) : 0;
    const bytes = entry.value.subarray(offset, offset + Math.max(1, step - head));
    const last = offset + bytes.length === total;
    yield {
      frame: {
        type: "entryPart",
        ...(offset === 0 ? { entry: header } : {}),
        offset,
        total,
        bytes,
      },
      bytes: PART_BYTES + head + bytes.length,
      entries: last ? 1 : 0,
    };
    offset += bytes.length;
  }
}

/** An entry with everything but its value; the content hash stays. */
export function withoutValue(entry: Entry): Entry {
  const { key, version, contentType, expiresAt, deleted, extra, hash } = entry;
  return {
    key,
    value: NO_BYTES,
    version,
    ...(contentType === undefined ? {} : { contentType }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(deleted === undefined ? {} : { deleted }),
    ...(extra === undefined ? {} : { extra }),
    ...(hash === undefined ? {} : { hash }),
  };
}
