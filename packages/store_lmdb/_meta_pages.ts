// LMDB keeps its two newest states in two meta pages, which carry no checksum. A flipped bit in the
// number of the newer one would silently bring the older state back: acknowledged writes gone, each
// record intact. But the numbers of the two always follow each other, and an even one stands in the
// first page, an odd one in the second; and the tree holds the number of the transaction that wrote it
// (see _state_row.ts), which tells a number that still fits from one that was written.
//
// They also say how many pages there are, and lmdb reads pages through a mapping of the file: what lies beyond its
// end is no error there but the end of the process. A whole file may be shorter than they say, by pages
// that one transaction took and gave back, so of a short file it is looked whether a page is in use that it lacks.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { lacksPages } from "./_file_pages.ts";

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const HEADER_BYTES = 24;
const META_BYTES = 144;

/** Offsets in a meta page, after its header. */
const VERSION_AT = 4;
const PAGE_SIZE_AT = 24;
const FREE_ROOT_AT = 64;
const MAIN_ROOT_AT = 112;
const LAST_PAGE_AT = 120;
const TRANSACTION_AT = 128;

/** What the meta pages of a data file say. */
export interface MetaPages {
  /** Whether the file is empty, or not there. */
  readonly isNew: boolean;

  /** Why it cannot be opened, if it cannot. */
  readonly problem?: string;
}

/** A file whose meta pages agree, or are of a version whose layout is not known here. */
const GOOD: MetaPages = { isNew: false };

/** Reads the meta pages of a data file that nobody has open. */
export function readMetaPages(path: string): MetaPages {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { isNew: true };
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    if (size === 0) return { isNew: true };
    const first = readMeta(file, 0);
    if (first === undefined) return bad(`it is ${size} bytes long, less than a meta page`);
    if (first.magic !== MAGIC) return bad("it does not begin as a file of LMDB");
    if (first.version !== DATA_VERSION) return GOOD; // lmdb says what it thinks of it
    const { pageSize } = first;
    if (!isPageSize(pageSize)) return bad(`its pages would be of ${pageSize} bytes`);
    const second = readMeta(file, pageSize);
    if (second === undefined) return bad(`it is ${size} bytes long, less than its meta pages`);
    const isAlike = second.magic === MAGIC && second.version === DATA_VERSION;
    const [even, odd] = [first.transaction, second.transaction];
    const areNew = even === 0n && odd === 0n; // made, and nothing written yet
    const follow = even - odd === 1n || odd - even === 1n;
    const isFirstEven = even % 2n === 0n && odd % 2n === 1n && follow;
    if (!isAlike || second.pageSize !== pageSize || !(areNew || isFirstEven)) {
      return bad("its meta pages contradict each other");
    }
    const { lastPage, roots } = odd > even ? second : first;
    const needed = (Number(lastPage) + 1) * pageSize;
    if (size >= needed || !lacksPages({ file, size, pageSize, roots })) return GOOD;
    return bad(
      `it is ${size} bytes long, ${needed} by its meta pages, and lacks pages that it uses`,
    );
  } finally {
    closeSync(file);
  }
}

function bad(problem: string): MetaPages {
  return { isNew: false, problem };
}

interface Meta {
  readonly magic: number;
  readonly version: number;
  readonly pageSize: number;
  readonly transaction: bigint;
  readonly lastPage: bigint;

  /** The roots of the trees: of free pages, and of the rows. */
  readonly roots: readonly bigint[];
}

function readMeta(file: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(HEADER_BYTES + META_BYTES);
  if (readSync(file, bytes, 0, bytes.length, at) < bytes.length) return undefined;
  const number = (offset: number): bigint => bytes.readBigUInt64LE(HEADER_BYTES + offset);
  return {
    magic: bytes.readUInt32LE(HEADER_BYTES),
    version: bytes.readUInt32LE(HEADER_BYTES + VERSION_AT),
    pageSize: bytes.readUInt32LE(HEADER_BYTES + PAGE_SIZE_AT),
    transaction: number(TRANSACTION_AT),
    lastPage: number(LAST_PAGE_AT),
    roots: [number(FREE_ROOT_AT), number(MAIN_ROOT_AT)],
  };
}

function isPageSize(bytes: number): boolean {
  return bytes >= 256 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0;
}
