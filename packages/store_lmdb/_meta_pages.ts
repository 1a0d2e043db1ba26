// LMDB keeps its two newest states in two meta pages, which carry no checksum. A flipped bit in the
// number of the newer one would silently bring the older state back: acknowledged writes gone, each
// record intact. But the numbers of the two always follow each other, and an even one stands in the
// first page, an odd one in the second; and the tree holds the number of the transaction that wrote it
// (see _state_row.ts), which tells a number that still fits from one that was written.
import { closeSync, openSync, readSync } from "node:fs";

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const HEADER_BYTES = 24;
const META_BYTES = 144;

/** Offsets in a meta page, after its header. */
const VERSION_AT = 4;
const PAGE_SIZE_AT = 24;
const TRANSACTION_AT = 128;

/** What the meta pages of a data file say. */
export type MetaPages =
  /** Empty, or not there. */
  | "new"
  /** They contradict themselves or each other. */
  | "damaged"
  /** They agree, or are of a version whose layout is not known here. */
  | "good";

/** Reads the meta pages of a data file that nobody has open. */
export function readMetaPages(path: string): MetaPages {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "new";
    throw error;
  }
  try {
    const first = readMeta(file, 0);
    if (first === undefined) return "new";
    if (first.magic !== MAGIC) return "damaged";
    if (first.version !== DATA_VERSION) return "good"; // lmdb says what it thinks of it
    if (!isPageSize(first.pageSize)) return "damaged";
    const second = readMeta(file, first.pageSize);
    if (second === undefined) return "damaged";
    if (second.magic !== MAGIC || second.version !== DATA_VERSION) return "damaged";
    if (second.pageSize !== first.pageSize) return "damaged";
    const [even, odd] = [first.transaction, second.transaction];
    if (even === 0n && odd === 0n) return "good"; // made, and nothing written yet
    const follow = even - odd === 1n || odd - even === 1n;
    return even % 2n === 0n && odd % 2n === 1n && follow ? "good" : "damaged";
  } finally {
    closeSync(file);
  }
}

interface Meta {
  readonly magic: number;
  readonly version: number;
  readonly pageSize: number;
  readonly transaction: bigint;
}

function readMeta(file: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(HEADER_BYTES + META_BYTES);
  if (readSync(file, bytes, 0, bytes.length, at) < bytes.length) return undefined;
  return {
    magic: bytes.readUInt32LE(HEADER_BYTES),
    version: bytes.readUInt32LE(HEADER_BYTES + VERSION_AT),
    pageSize: bytes.readUInt32LE(HEADER_BYTES + PAGE_SIZE_AT),
    transaction: bytes.readBigUInt64LE(HEADER_BYTES + TRANSACTION_AT),
  };
}

function isPageSize(bytes: number): boolean {
  return bytes >= 256 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0;
}
