import assert from "node:assert/strict";
import fc from "fast-check";
import { isWatched } from "../watch_keys.ts";
import { WatchGroups, type WatchFilter } from "./watch_groups.ts";

const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "é", "😀"), maxLength: 4 });
const filters: fc.Arbitrary<WatchFilter> = fc.oneof(
  fc.record({ prefix: text, values: fc.boolean() }),
  fc.record({ key: text, values: fc.boolean() }),
  fc.record({ values: fc.boolean() }),
);

describe("WatchGroups", () => {
  it("finds the watchers that looking at all of them would find, and forgets the others", () => {
    const steps = fc.array(fc.record({ filter: filters, leaves: fc.boolean() }), { maxLength: 12 });
    fc.assert(
      fc.property(steps, fc.array(text, { maxLength: 8 }), (list, keys) => {
        const groups = new WatchGroups<number>();
        const leaving = list.map(({ filter }, number) => groups.add(number, filter));
        list.forEach(({ leaves }, number) => {
          if (leaves) leaving[number]?.();
        });
        const stays = list.flatMap(({ filter, leaves }, n) => (leaves ? [] : [{ filter, n }]));
        for (const key of keys) {
          const found: number[] = [];
          groups.forEach(key, ({ filter, watchers }) => {
            for (const number of watchers) {
              assert.equal(filter.values, list[number]?.filter.values);
              found.push(number);
            }
          });
          const wanted = stays.filter(({ filter }) => isWatched(key, filter)).map(({ n }) => n);
          assert.deepEqual(
            found.sort((a, b) => a - b),
            wanted,
          );
        }
        leaving.forEach((leave) => leave());
        assert.equal(groups.size, 0);
        groups.forEach("a", () => assert.fail("a group is left"));
      }),
    );
  });
});
