import type { StoredEntry } from "@dnd/store";
import { headBytes, writeHeadAt } from "./_record.ts";
import { RowMemory } from "./_row_memory.ts";
import { RowPart } from "./_row_scratch.ts";
import { keyChecksum, writeHeadRow } from "./_rows.ts";
import type { RowWriter } from "./_environment.ts";
import { placesByNumber } from "./_sorting.ts";

/** Rows lie in pieces of memory of this size, or of less where few are left. */
const PIECE_BITS = 20;
const PIECE_BYTES = 2 ** PIECE_BITS;

/** Tag and key hash, before a key. */
const HEAD_BYTES = 5;

/**
 * The heads of a run, to be written in the order of their key hashes: to whoever asks for entries in that
 * order, each is five things at five places in memory, none of them near. So heads are made in the order in which
 * the entries are at hand, and what is sorted and written later is the bytes of the rows.
 */
export class HeadRows {
  readonly #pieces: RowMemory[] = [];
  readonly #hashes: Float64Array;
  readonly #starts: Uint32Array;
  readonly #keyBytes: Uint16Array;
  readonly #valueBytes: Uint16Array;
  #piece = new RowMemory(0);
  readonly #row = new RowPart(this.#piece.bytes);
  #count = 0;
  #at = 0;
  #places: Uint32Array | undefined;

  /** @param most how many rows there will be */
  constructor(most: number) {
    this.#hashes = new Float64Array(most);
    this.#starts = new Uint32Array(most);
    this.#keyBytes = new Uint16Array(most);
    this.#valueBytes = new Uint16Array(most);
  }

  /** Makes the head of an entry. Before anything is written. */
  add(entry: StoredEntry): void {
    const { keyHash, key } = entry;
    const most = HEAD_BYTES + 3 * key.length + headBytes(entry);
    if (this.#at + most > this.#piece.bytes.length) {
      const left = this.#hashes.length - this.#count; // if the others are like this one
      this.#piece = new RowMemory(Math.max(most, Math.min(PIECE_BYTES, left * most)));
      this.#pieces.push(this.#piece);
      this.#at = 0;
    }
    const { bytes } = this.#piece;
    const start = this.#at;
    const keyEnd = writeHeadRow(keyHash, key, bytes, start);
    const end = writeHeadAt(entry, keyChecksum(bytes, start, keyEnd), bytes, keyEnd);
    this.#at = end;
    const place = this.#count;
    this.#count += 1;
    this.#hashes[place] = keyHash >>> 0;
    this.#starts[place] = (this.#pieces.length - 1) * PIECE_BYTES + start;
    this.#keyBytes[place] = keyEnd - start;
    this.#valueBytes[place] = end - keyEnd;
  }

  /** Writes those from one place on to another, in the order of the hashes. */
  write(from: number, end: number, writer: RowWriter): void {
    if (end <= from) return;
    const places = (this.#places ??= placesByNumber(this.#hashes.subarray(0, this.#count)));
    for (let i = from; i < end; i += 1) {
      const place = places[i] ?? 0;
      const at = this.#starts[place] ?? 0;
      const piece = this.#pieces[at >>> PIECE_BITS] ?? this.#piece;
      const start = at & (PIECE_BYTES - 1);
      const keyEnd = start + (this.#keyBytes[place] ?? 0);
      const row = this.#row.set(piece.bytes, start, keyEnd);
      writer.putPart(row, piece, keyEnd, keyEnd + (this.#valueBytes[place] ?? 0));
    }
  }
}
