// Any order, any duplication, any loss that is made up for later, of the same writes on two to five
// replicas ends in equal replicas, equal to "sort all writes, keep the last": the fourth law.
import { NOW, anyKey, anyValue, bytesOf, runs } from "./_test_utils.ts";
import type { Entry } from "./entry.ts";
import { VersionedMap } from "./versioned_map.ts";
import { compareEntries } from "./merge_entries.ts";
import { hashOf } from "./content_hash.ts";
import { stampOf } from "./version.ts";
import { expect } from "chai";
import fc from "fast-check";

const anyWrite = fc.record({
  replica: fc.nat(4),
  key: anyKey,
  value: fc.option(anyValue),
  ttlMs: fc.option(fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(10_000))),
  skewMs: fc.integer({ min: -200, max: 200 }),
});

/** What happens to one message: lost, or delivered so often, sooner or later. */
const anyFate = fc.record({
  to: fc.nat(4),
  copies: fc.nat(2),
  order: fc.nat(),
  rumor: fc.boolean(),
});

function contents(map: VersionedMap): unknown[] {
  return map.entries({ all: true }).map((entry) => ({ ...entry, value: [...entry.value] }));
}

describe("replicas", () => {
  it("end equal, and equal to sorting all writes and keeping the last", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 5 }),
        fc.array(anyWrite, { maxLength: 30 }),
        fc.array(anyFate, { maxLength: 60 }),
        fc.nat(),
        (count, writes, fates, salt) => {
          const maps = Array.from({ length: count }, (_, i) => new VersionedMap({ node: `n${i}` }));
          const pick = (index: number): VersionedMap => maps[index % count] ?? expect.fail();
          const all: Entry[] = [];
          writes.forEach(({ replica, key, value, ttlMs, skewMs }, i) => {
            const now = NOW + skewMs;
            const map = pick(replica);
            const ttl = ttlMs === null ? {} : { ttlMs };
            all.push(
              value === null ? map.delete(key, { now }) : map.put(key, value, { now, ...ttl }),
            );
            // messages on the way arrive in between, or never
            const fate = fates[i % Math.max(fates.length, 1)];
            const sent = all[(salt * 7 + i * 13) % all.length];
            if (fate === undefined || sent === undefined) return;
            const batch = Array.from({ length: fate.copies }, () => sent);
            pick(fate.to).merge(batch, { now, rumor: fate.rumor });
          });
          for (const { to, order } of fates) {
            if (all.length > 0)
              pick(to).merge([all[order % all.length] ?? expect.fail()], { now: NOW });
          }
          // what was lost is sent again: everything, to everybody, each in an order of its own
          maps.forEach((map, i) => {
            const order = all.map((_, at) => ((at + 1) * (salt + i + 1) * 7919) % 1009);
            const shuffled = all.map((entry, at) => ({ entry, rank: order[at] ?? 0 }));
            shuffled.sort((a, b) => a.rank - b.rank);
            map.merge(
              shuffled.map(({ entry }) => entry),
              { now: NOW },
            );
          });
          const now = NOW + 300; // later than any clock here: what expired somewhere did everywhere
          for (const map of maps) map.expire({ now });
          const winners = new Map<string, Entry>();
          for (const entry of [...all].sort(compareEntries)) winners.set(entry.key, entry);
          for (const map of maps) {
            expect(contents(map)).to.deep.equal(contents(pick(0)));
            expect(map.digest()).to.deep.equal(pick(0).digest());
            const live = [...winners.values()].filter(
              ({ deleted, expiresAt = Infinity }) => deleted !== true && expiresAt > now,
            );
            const got = map.entries({ now });
            expect(new Map(got.map((entry) => [entry.key, entry]))).to.deep.equal(
              new Map(live.map((entry) => [entry.key, entry])),
            );
          }
        },
      ),
      runs(150),
    );
  });

  it("end equal where one version has several contents, all expired, one of them empty (rules 5 and 10)", () => {
    const version = { time: stampOf(NOW), node: "broken" };
    const expiresAt = NOW + 10;
    const anyContent = fc.record({
      value: fc.constantFrom("", "", "a", "b", "c").map(bytesOf),
      contentType: fc.constantFrom(undefined, undefined, "text/plain"),
    });
    const anyStep = fc.record({ to: fc.nat(1), which: fc.nat(3), late: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(anyContent, { minLength: 2, maxLength: 4 }),
        fc.array(anyStep, { maxLength: 6 }),
        (contents, steps) => {
          const maps = [new VersionedMap({ node: "a" }), new VersionedMap({ node: "b" })] as const;
          for (const { to, which, late } of steps) {
            const content = contents[which % contents.length] ?? expect.fail();
            const now = late ? expiresAt + 1 : NOW;
            maps[to === 0 ? 0 : 1].merge([{ key: "k", version, expiresAt, ...content }], { now });
          }
          const now = expiresAt + 1000;
          for (const map of maps) map.expire({ now });
          // both tell the other what they hold, as it goes over the wire: without what a map keeps beside it
          const told = maps.map((map) =>
            map.entries({ all: true }).map((entry) => ({ ...entry, hash: hashOf(entry) })),
          );
          maps[0].merge(told[1] ?? [], { now });
          maps[1].merge(told[0] ?? [], { now });
          expect(maps[0].digest()).to.deep.equal(maps[1].digest());
        },
      ),
      runs(1000),
    );
  });
});
