import { expect } from "chai";
import { runFlips } from "./_flips.ts";
import { expectNone, freshFolder } from "./_test_utils.ts";

describe("a data file with a flipped bit", () => {
  it("never gives a wrong value: an error that says so, or the right one", async function () {
    this.timeout(3_600_000);
    const flips = process.env.DND_FULL === "1" ? 1_000 : 60;
    const result = await runFlips(freshFolder(), { flips, seed: 20260101 });
    const { refused, noticed, harmless, ended, wrong } = result;
    console.log(
      `    ${flips} flips: ${refused} folders refused, ${noticed} errors, ` +
        `${harmless} without effect, ${ended} ended the process`,
    );
    expectNone("wrong", wrong);
    expect(noticed).to.be.greaterThan(0);
  });
});
