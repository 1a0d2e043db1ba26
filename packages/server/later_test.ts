import assert from "node:assert/strict";
import { GroupCommit } from "./group_commit.ts";
import { Later } from "./later.ts";

function never(): never {
  throw new Error("must not be called");
}

describe("Later", () => {
  it("tells its listener at once, before or after the settlement", () => {
    const seen: (number | string)[] = [];
    const early = new Later<number>();
    early.map((n) => n + 1).listen((n) => seen.push(n), never);
    early.resolve(1);
    early.resolve(10);
    early.reject(new Error("too late"));
    assert.equal(String(seen), "2");
    const late = new Later<number>();
    late.reject("no");
    late.listen(never, (error) => seen.push(String(error)));
    assert.deepEqual(seen, [2, "no"]);
  });

  it("follows values, promises and others of its kind, and what they throw", async () => {
    const followed = async (make: () => number | PromiseLike<number>): Promise<number> => {
      const later = new Later<number>();
      later.follow(make);
      return later;
    };
    const other = new Later<number>();
    const waiting = followed(() => other);
    other.resolve(3);
    assert.equal(await waiting, 3);
    assert.equal(await followed(() => 1), 1);
    assert.equal(await followed(() => Promise.resolve(2)), 2);
    await assert.rejects(
      followed(() => {
        throw new Error("thrown");
      }),
      /thrown/,
    );
    await assert.rejects(
      followed(() => Promise.reject(new Error("rejected"))),
      /rejected/,
    );
    const failing = new Later<number>();
    const mapped = failing.map(() => {
      throw new Error("mapped");
    });
    failing.resolve(1);
    await assert.rejects(async () => mapped, /mapped/);
  });
});

describe("GroupCommit", () => {
  const listener = (name: string, seen: string[]) => ({
    committed: () => void seen.push(`${name} committed`),
    failed: (error: unknown) => void seen.push(`${name} ${String(error)}`),
  });

  it("tells all that wait in one turn, in their order, and those that come later too", async () => {
    const seen: string[] = [];
    const commit = new GroupCommit(Promise.resolve(), never);
    commit.listen(listener("a", seen));
    commit.listen(listener("b", seen));
    await commit;
    commit.listen(listener("c", seen));
    await commit;
    assert.deepEqual(seen, ["a committed", "b committed", "c committed"]);
  });

  it("tells of a failure: first the node, then all that wait", async () => {
    const seen: string[] = [];
    const commit = new GroupCommit(Promise.reject(new Error("full")), () => seen.push("node"));
    commit.listen(listener("a", seen));
    await assert.rejects(async () => commit, /full/);
    commit.listen(listener("b", seen));
    await assert.rejects(async () => commit, /full/);
    assert.deepEqual(seen, ["node", "a Error: full", "b Error: full"]);
  });
});
