// A walk over the pages of a data file, without lmdb: for a file that is shorter than its meta pages say. The layout
// is that of LMDB's `mdb.c` (data version 2): a header of 24 bytes (number u64, transaction u64, padding
// u16, flags u16, lower u16, upper u16), then the places of the nodes, u16 each, counted from the end of
// the header. A node begins with two u16 of its data size (in a branch of its child, with the next u16), flags
// u16, length of the key u16, key; data that has pages of its own is their first number u64, transaction
// u64, and how many they are u64.
import { readSync } from "node:fs";

const HEADER_BYTES = 24;
const NODE_BYTES = 8;
const FLAGS_AT = 18;
const LOWER_AT = 20;

const BRANCH = 0x01;
const LEAF = 0x02;

/** A node whose data has pages of its own. */
const BIG_DATA = 0x01;

/** The root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;

/** Where the pages are. */
export interface FilePages {
  /** Descriptor of the file. */
  readonly file: number;

  /** Its size in bytes. */
  readonly size: number;
  readonly pageSize: number;

  /** The roots of the trees that are in use. */
  readonly roots: readonly bigint[];
}

/** Whether a page that is in use is not there, or is no page of a tree. */
export function lacksPages({ file, size, pageSize, roots }: FilePages): boolean {
  const pages = Math.floor(size / pageSize);
  const isSeen = new Uint8Array(pages);
  const page = Buffer.alloc(pageSize);
  const waiting: bigint[] = roots.filter((root) => root !== NO_PAGE);
  for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
    const at = Number(number);
    if (at >= pages || isSeen[at] === 1) return true; // no page of a tree has two parents
    isSeen[at] = 1;
    if (readSync(file, page, 0, pageSize, at * pageSize) < pageSize) return true;
    const flags = page.readUInt16LE(FLAGS_AT) & (BRANCH | LEAF);
    if (flags !== BRANCH && flags !== LEAF) return true;
    const nodes = page.readUInt16LE(LOWER_AT) >>> 1;
    for (let i = 0; i < nodes; i += 1) {
      if (HEADER_BYTES + 2 * i + 2 > pageSize) return true;
      const node = HEADER_BYTES + page.readUInt16LE(HEADER_BYTES + 2 * i);
      if (node + NODE_BYTES > pageSize) return true;
      if (flags === BRANCH) waiting.push(childOf(page, node));
      else if (lacksData(page, node, pages)) return true;
    }
  }
  return false;
}

/** The number of a child has 48 bits. */
function childOf(page: Buffer, node: number): bigint {
  return BigInt(page.readUInt32LE(node)) + (BigInt(page.readUInt16LE(node + 4)) << 32n);
}

/** Whether the pages of a node's data are not there. */
function lacksData(page: Buffer, node: number, pages: number): boolean {
  if ((page.readUInt16LE(node + 4) & BIG_DATA) === 0) return false;
  const data = node + NODE_BYTES + page.readUInt16LE(node + 6);
  if (data + 24 > page.length) return true;
  const last = page.readBigUInt64LE(data) + page.readBigUInt64LE(data + 16);
  return last > BigInt(pages);
}
