import { Outbox } from "@dnd/replication";
import { type Entry, type MergeOptions, VersionedMap } from "@dnd/store";

/** Replaces a method of a class until the returned function is called. */
export function patch<T extends object, K extends keyof T & string>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const held = Object.getOwnPropertyDescriptor(prototype, name);
  if (held === undefined) throw new TypeError(`Cannot patch ${name}: no such method`);
  Object.defineProperty(prototype, name, {
    configurable: true,
    writable: true,
    value: make(held.value as T[K]),
  });
  return () => Object.defineProperty(prototype, name, held);
}

type Merge = VersionedMap["merge"];

/** Changes what is merged. */
export function patchMerge(
  change: (
    map: VersionedMap,
    entries: Entry[],
    options: MergeOptions,
    merge: (entries: Entry[], options: MergeOptions) => ReturnType<Merge>,
  ) => ReturnType<Merge>,
): () => void {
  return patch(VersionedMap.prototype, "merge", (original) => {
    const patched: Merge = function (this: VersionedMap, entries, options = {}) {
      return change(this, [...entries], options, (these, those) =>
        original.call(this, these, those),
      );
    };
    return patched;
  });
}

/** Has an outbox say another size. */
export function patchSize(change: (outbox: Outbox, size: number) => number): () => void {
  const held = Object.getOwnPropertyDescriptor(Outbox.prototype, "size");
  if (held?.get === undefined) throw new TypeError("Cannot patch size: no getter");
  Object.defineProperty(Outbox.prototype, "size", {
    configurable: true,
    get(this: Outbox) {
      return change(this, Number(held.get?.call(this)));
    },
  });
  return () => Object.defineProperty(Outbox.prototype, "size", held);
}
