import type { GossipNotice } from "@dnd/gossip";
import { expect } from "chai";
import { describe, it } from "mocha";
import { SeedWatch } from "./_seed_watch.ts";

const of = (seed: string, reason: "silent" | "answered"): GossipNotice => ({
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

  it("has nothing to wait for without seeds", () => {
    expect(new SeedWatch([]).isDone).to.equal(true);
  });
});
