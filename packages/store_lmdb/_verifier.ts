// Walks the rows of the data file and compares them with each other: what a record says of itself must be
// in the indexes, and what an index says must have a record. Rows that can be made again from an intact
// record are; rows that belong to nothing go. What cannot be mended is a damaged key.
import { type Head, type StoredEntry } from "@dnd/store";
import { expiryIndexTime, hashKey, lastHash, reapIndexTime } from "@dnd/store/engine";
import type { Environment, Row } from "./_environment.ts";
import type { Repair } from "./_group.ts";
import { writeHead } from "./_record.ts";
import type { RowReader } from "./_row_reader.ts";
import {
  TAG_COUNTER,
  TAG_ENTRY,
  TAG_EXPIRY,
  TAG_HEAD,
  TAG_REAP,
  headRow,
  isIntact,
  numberOf,
  numberRow,
  plainRow,
  sealedText,
} from "./_rows.ts";
import type { VerifyPosition } from "./verify_result.ts";

/** What a slice of rows came to. */
export interface Verified {
  /** Where the next slice begins; `undefined` if this was the last. */
  readonly next: VerifyPosition | undefined;
  readonly checked: number;
  readonly repairs: Repair[];

  /** Keys whose records cannot be read, and what the index says of them. */
  readonly damaged: { readonly key: string; readonly head: Head | undefined }[];
}

/** The tags in the order in which a scrub walks them. */
const VERIFIED_TAGS: readonly number[] = [TAG_ENTRY, TAG_HEAD, TAG_COUNTER, TAG_EXPIRY, TAG_REAP];

/** What a verifier needs. */
export interface VerifierOptions {
  readonly environment: Environment;
  readonly reader: RowReader;

  /** Whether a key has changes that wait: its rows are about to be others. */
  isWaiting(key: string): boolean;
}

/** Verifies rows in slices. */
export class Verifier {
  readonly #options: VerifierOptions;

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /** Verifies at most `limit` rows, from where a slice before this one ended. */
  verifySlice(position: VerifyPosition | undefined, limit: number): Verified {
    const { step, row: from } = position ?? { step: 0, row: undefined };
    const tag = VERIFIED_TAGS[step];
    if (tag === undefined) return { next: undefined, checked: 0, repairs: [], damaged: [] };
    const rows: Row[] = [];
    let after: Buffer | undefined;
    const range = { from: from ?? plainRow(tag), to: plainRow(tag + 1) };
    for (const row of this.#options.environment.range(range)) {
      if (rows.length === limit) {
        after = row.key;
        break;
      }
      rows.push(row);
    }
    const nextStep = after === undefined ? step + 1 : step;
    const isLast = nextStep === VERIFIED_TAGS.length;
    const result: Verified = {
      next: isLast ? undefined : { step: nextStep, row: after },
      checked: rows.length,
      repairs: [],
      damaged: [],
    };
    for (const row of rows) this.#verifyRow(tag, row, result);
    return result;
  }

  #verifyRow(tag: number, row: Row, result: Verified): void {
    switch (tag) {
      case TAG_ENTRY:
        this.#verifyEntry(row, result);
        break;
      case TAG_HEAD:
        this.#verifyHead(row, result);
        break;
      case TAG_COUNTER:
        this.#verifyCounter(row, result);
        break;
      default:
        this.#verifyTime(tag, row, result);
    }
  }

  #verifyEntry({ key: row }: Row, { repairs, damaged }: Verified): void {
    const key = row.toString("utf8", 1);
    const { reader } = this.#options;
    if (this.#options.isWaiting(key)) return;
    const entry = reader.deepEntry(key);
    if (entry !== undefined) {
      for (const wanted of indexRows(entry)) if (!this.#holds(wanted)) repairs.push(wanted);
      return;
    }
    const head = reader.head(key);
    // a record under a key that no index knows is one whose key was damaged: nobody asks for it
    if (head === undefined && !this.#hasHeadRow(key)) repairs.push({ row, value: undefined });
    else damaged.push({ key, head });
  }

  #verifyHead({ key: row }: Row, { repairs, damaged }: Verified): void {
    const key = row.toString("utf8", 5);
    if (this.#options.isWaiting(key)) return;
    const isPlaced = hashKey(key) > 0 && row.readInt32BE(1) === lastHash[0];
    const entry = isPlaced ? this.#options.reader.deepEntry(key) : undefined;
    if (!isPlaced) repairs.push({ row, value: undefined });
    else if (entry === undefined) damaged.push({ key, head: this.#options.reader.head(key) });
    // a row that is damaged itself was made again when its entry was verified
  }

  #verifyCounter({ key: row, value }: Row, { repairs }: Verified): void {
    const key = isIntact(row, value) ? value.toString("utf8", 4) : undefined;
    if (key !== undefined && this.#options.isWaiting(key)) return;
    const entry = key === undefined ? undefined : this.#options.reader.deepEntry(key);
    if (entry?.counter === numberOf(row)) return;
    const isUnreadable =
      entry === undefined && this.#options.environment.read(key ?? "") !== undefined;
    if (key === undefined || !isUnreadable) repairs.push({ row, value: undefined });
  }

  #verifyTime(tag: number, { key: row, value }: Row, { repairs }: Verified): void {
    const key = row.toString("utf8", 9);
    if (this.#options.isWaiting(key)) return;
    const entry = this.#options.reader.deepEntry(key);
    const time = entry && (tag === TAG_EXPIRY ? expiryIndexTime(entry) : reapIndexTime(entry));
    if (!isIntact(row, value) || time !== numberOf(row)) repairs.push({ row, value: undefined });
  }

  #hasHeadRow(key: string): boolean {
    if (hashKey(key) < 0) return false;
    return this.#options.environment.read(headRow(lastHash[0] ?? 0, key)) !== undefined;
  }

  #holds({ row, value }: Repair): boolean {
    const found = this.#options.environment.read(row);
    const length = this.#options.environment.lastLength;
    return found !== undefined && value !== undefined && value.equals(found.subarray(0, length));
  }
}

/** The rows of the indexes that an entry belongs into. */
function indexRows(entry: StoredEntry): Repair[] {
  const { key } = entry;
  const head = headRow(entry.keyHash, key);
  const rows: Repair[] = [{ row: head, value: writeHead(entry, head) }];
  const add = (row: Buffer, text: string): number =>
    rows.push({ row, value: sealedText(row, text) });
  add(numberRow(TAG_COUNTER, entry.counter), key);
  const expiry = expiryIndexTime(entry);
  if (expiry !== undefined) add(numberRow(TAG_EXPIRY, expiry, key), "");
  const reap = reapIndexTime(entry);
  if (reap !== undefined) add(numberRow(TAG_REAP, reap, key), "");
  return rows;
}
