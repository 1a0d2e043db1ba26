// Sorts of thousands of things at once, by numbers that a typed array sorts: to call back for each comparison
// would stop the event loop for tens of milliseconds where a run of the mover begins.

import { compareKeys } from "@dnd/store";

/** Above this, places do not fit beside ranks in the 53 bits of an integer. */
const MOST_ITEMS = 2 ** 21;
const RANKS = 2 ** 32;

/** How many characters of a key make its rank, a byte each. */
const RANK_CHARACTERS = 4;

/** Below this, a plain sort is as fast. */
const FEW = 32;

/** A sorted copy, by integers. */
export function sortedByNumber<T>(items: readonly T[], numberOf: (item: T) => number): T[] {
  const sorted: T[] = [];
  for (const place of placesByNumber(Float64Array.from(items, numberOf))) {
    const item = items[place];
    if (item !== undefined) sorted.push(item);
  }
  return sorted;
}

/** Where integers are, in their order; of equal ones the first comes first. */
export function placesByNumber(numbers: Float64Array): Uint32Array {
  const { length } = numbers;
  const places = new Uint32Array(length);
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0; i < length; i += 1) {
    const number = numbers[i] ?? 0;
    places[i] = i;
    if (number < least) least = number;
    if (number > most) most = number;
  }
  if (length < FEW || length > MOST_ITEMS || most - least >= RANKS) {
    return places.sort((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0) || a - b);
  }
  const ranks = numbers.map((number, i) => (number - least) * MOST_ITEMS + i).sort();
  for (let i = 0; i < length; i += 1) places[i] = (ranks[i] ?? 0) % MOST_ITEMS;
  return places;
}

/** A sorted copy, by keys: in the order of their UTF-8 bytes. */
export function sortedByKey<T extends { readonly key: string }>(items: readonly T[]): T[] {
  if (items.length < FEW) return items.toSorted(byKey);
  const common = commonPrefix(items);
  const rankOf = ({ key }: T): number => rankAt(key, common);
  const sorted = sortedByNumber(items, rankOf);
  // those that share a rank are few
  for (let start = 0; start < sorted.length;) {
    const first = sorted[start];
    if (first === undefined) break;
    const rank = rankOf(first);
    let end = start + 1;
    for (let next = sorted[end]; next !== undefined && rankOf(next) === rank; next = sorted[end]) {
      end += 1;
    }
    if (end - start > 1) {
      const group = sorted.slice(start, end).sort(byKey);
      group.forEach((item, i) => (sorted[start + i] = item));
    }
    start = end;
  }
  return sorted;
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return compareKeys(a.key, b.key);
}

/** How many characters all keys begin with. */
function commonPrefix(items: readonly { readonly key: string }[]): number {
  const first = items[0]?.key ?? "";
  let common = first.length;
  for (const { key } of items) {
    let same = 0;
    while (same < common && key.charCodeAt(same) === first.charCodeAt(same)) same += 1;
    common = same;
  }
  return common;
}

/** The characters from a place on as one number, in their order. */
function rankAt(key: string, start: number): number {
  let rank = 0;
  for (let i = start; i < start + RANK_CHARACTERS; i += 1) {
    const code = i < key.length ? key.charCodeAt(i) : 0;
    if (code >= 0xff) {
      // what does not fit in a byte shares the last rank, whatever comes after it
      const left = start + RANK_CHARACTERS - i;
      return (rank + 1) * 2 ** (8 * left) - 1;
    }
    rank = rank * 256 + code;
  }
  return rank;
}
