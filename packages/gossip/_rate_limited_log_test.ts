import { expect } from "chai";
import { RateLimitedLog } from "./_rate_limited_log.ts";

describe("RateLimitedLog", () => {
  it("writes one line of a kind in each interval and says how many it left out", () => {
    const lines: object[] = [];
    const log = new RateLimitedLog(
      (level, fields, message) => lines.push({ level, message, ...fields }),
      100,
    );
    for (let now = 0; now < 250; now += 10)
      log.line("wrong-key", now, "warn", { from: "x" }, "dropped");
    log.line("replay", 5, "warn", {}, "other");
    expect(lines).to.deep.equal([
      { level: "warn", message: "dropped", kind: "wrong-key", from: "x" },
      { level: "warn", message: "dropped", kind: "wrong-key", from: "x", leftOut: 9 },
      { level: "warn", message: "dropped", kind: "wrong-key", from: "x", leftOut: 9 },
      { level: "warn", message: "other", kind: "replay" },
    ]);
  });
});
