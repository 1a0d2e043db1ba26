import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { fullRunOnly } from "./_test_process.ts";

const repository = fileURLToPath(new URL("../../..", import.meta.url));

/** A short run of the rig in tools/chaos. */
function chaos(...more: readonly string[]): Promise<{ code: number | null; said: string }> {
  const options = ["--seed", String(process.pid), "--split-seconds", "5", "--scale", "0.2"];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["tools/chaos/chaos.mjs", ...options, ...more], {
      cwd: repository,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, said }));
  });
}

/** Where namespaces or nft are not to be had the rig says why. */
function skipIfSaid(context: Mocha.Context, said: string): void {
  const reason = /^chaos: (skipped: .*)$/m.exec(said)?.[1];
  if (reason === undefined) return;
  console.log(`      ${reason}`);
  context.skip();
}

describe("five nodes under real faults", function () {
  this.timeout(600_000);

  before(function () {
    fullRunOnly(this, "two rounds of chaos, a minute each");
  });

  it("lose nothing that was promised, undo no delete, and end equal", async function () {
    const { code, said } = await chaos();
    skipIfSaid(this, said);
    assert.equal(code, 0, said);
    assert.match(said, /0 acknowledged writes lost, 0 deletes back, 0 nodes ended by themselves/);
  });

  it("are found out when they do: a write and a delete that were tampered with", async function () {
    const { code, said } = await chaos("--sabotage");
    skipIfSaid(this, said);
    assert.equal(code, 0, said);
    assert.match(said, /the sabotage was found/);
    assert.match(said, /n4: n0-sabotage: deleted, is "sabotage"/);
  });
});
