// Heads that are not in the index on disk yet. A head lies at the hash of its key, so each write would touch
// a page of the index of its own, and half of what a commit writes would be that. They are collected
// here instead, and written many at a time, in the order of the index. Until then the change log says
// where they are: the state row holds the counter up to which the index is complete, and after a crash
// the entries behind it are read once (a clean close leaves none).
import type { Head, StoredEntry } from "@dnd/store";
import type { RowWriter } from "./_environment.ts";
import type { Group } from "./_group.ts";
import { writeHead } from "./_record.ts";
import { headRow } from "./_rows.ts";

/** How many heads are collected. */
const MOST_HEADS = 8192;

/** The collected heads, by leaf and key. */
export class HeadBuffer {
  readonly #leaves = new Map<number, Map<string, Head>>();
  #size = 0;

  /** How many heads wait. */
  get size(): number {
    return this.#size;
  }

  /** Whether they should be written with a group of so many changes. */
  isFull(changes: number): boolean {
    return this.#size + changes >= MOST_HEADS;
  }

  get(key: string, keyHash: number): Head | undefined {
    return this.#leaves.get(keyHash >>> 17)?.get(key);
  }

  /** The heads of a leaf. */
  leaf(leaf: number): Iterable<Head> {
    return this.#leaves.get(leaf)?.values() ?? [];
  }

  /** Adds the head of an entry; its value is not kept. */
  add(entry: StoredEntry): void {
    const { key, version, keyHash, hashHigh, hashLow, fingerprintHigh, fingerprintLow } = entry;
    const leaf = keyHash >>> 17;
    let heads = this.#leaves.get(leaf);
    if (heads === undefined) this.#leaves.set(leaf, (heads = new Map<string, Head>()));
    if (!heads.has(key)) this.#size += 1;
    heads.set(key, { key, version, keyHash, hashHigh, hashLow, fingerprintHigh, fingerprintLow });
  }

  /** Takes over what a group has committed. */
  addGroup(group: Group): void {
    for (const { key, entry, base } of group.changes.values()) {
      if (entry !== undefined) this.add(entry);
      else if (base !== undefined && this.#leaves.get(base.keyHash >>> 17)?.delete(key) === true) {
        this.#size -= 1;
      }
    }
  }

  /** Writes all heads, those of a group in place of older ones. */
  write(group: Group | undefined, writer: RowWriter): void {
    const heads: Head[] = [];
    for (const leaf of this.#leaves.values()) {
      for (const head of leaf.values()) {
        if (group?.changes.has(head.key) !== true) heads.push(head);
      }
    }
    for (const { entry } of group?.changes.values() ?? []) {
      if (entry !== undefined) heads.push(entry);
    }
    heads.sort((a, b) => (a.keyHash >>> 0) - (b.keyHash >>> 0));
    for (const head of heads) {
      const row = headRow(head.keyHash, head.key);
      writer.put(row, writeHead(head, row));
    }
  }

  clear(): void {
    this.#leaves.clear();
    this.#size = 0;
  }
}
