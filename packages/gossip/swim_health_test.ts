import { expect } from "chai";
import { LocalHealth, MAX_LOCAL_HEALTH } from "./swim_health.ts";

describe("LocalHealth (Lifeguard)", () => {
  it("stays between 0 and 8", () => {
    const health = new LocalHealth(true);
    health.add(-3);
    expect(health.multiplier).to.equal(1);
    health.add(100);
    expect(health.value).to.equal(MAX_LOCAL_HEALTH);
    health.add(-1);
    expect(health.multiplier).to.equal(8);
  });

  it("can be switched off", () => {
    const health = new LocalHealth(false);
    health.add(5);
    expect(health.multiplier).to.equal(1);
  });
});
