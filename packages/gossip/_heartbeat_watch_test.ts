import { expect } from "chai";
import { HeartbeatWatch } from "./_heartbeat_watch.ts";

describe("HeartbeatWatch", () => {
  it("calls the host stalled when its beat is old, and not any more at the next beat (RULES 15)", () => {
    const watch = new HeartbeatWatch(500, 0, 0);
    const seen: boolean[] = [];
    for (let now = 50; now <= 500; now += 50) seen.push(watch.look(0, now));
    expect(seen.indexOf(true)).to.equal(9);
    expect(watch.look(1, 550)).to.equal(false);
  });

  it("does not count the time in which the watching thread itself stood still", () => {
    const watch = new HeartbeatWatch(500, 0, 0);
    expect(watch.look(1, 50)).to.equal(false);
    expect(watch.look(1, 20_050), "frozen for 20 s").to.equal(false);
    expect(watch.look(1, 20_100), "the host has not had a turn yet").to.equal(false);
    expect(watch.look(2, 20_150)).to.equal(false);
  });
});
