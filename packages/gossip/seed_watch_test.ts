import { expect } from "chai";
import { describe, it } from "mocha";
import { MAX_SEEDS, SeedWatch } from "./seed_watch.ts";
import type { SeedEvent } from "./swim_types.ts";

const of = (seed: string, reason: "silent" | "answered"): SeedEvent => ({
  type: "seed",
  seed,
  reason,
});

describe("SeedWatch()", () => {
  it("says once that all seeds have answered, and waits for those that are added (rule 12)", () => {
    const watch = new SeedWatch(["a:5000", "b:5000"]);
    expect(watch.hear(of("a:5000", "silent"))).to.equal(false);
    expect(watch.hear(of("a:5000", "answered"))).to.equal(false);
    expect(watch.hear(of("a:5000", "answered"))).to.equal(false);
    expect(watch.hear(of("b:5000", "answered"))).to.equal(true);
    expect(watch.hear(of("b:5000", "answered"))).to.equal(false);
    watch.add(["c:5000"]);
    expect(watch.isDone).to.equal(false);
    expect(watch.hear(of("c:5000", "answered"))).to.equal(true);
  });

  it("waits for no more seeds than are called again", () => {
    const names = Array.from({ length: MAX_SEEDS + 1 }, (_, i) => `seed-${i}:5000`);
    const watch = new SeedWatch(names);
    const done = names.slice(0, MAX_SEEDS).map((seed) => watch.hear(of(seed, "answered")));
    expect(done.indexOf(true)).to.equal(MAX_SEEDS - 1);
    watch.add(names.slice(0, 1)); // named again: it has to answer again
    expect(watch.isDone).to.equal(false);
  });

  it("has nothing to wait for without seeds", () => {
    expect(new SeedWatch([]).isDone).to.equal(true);
  });
});
