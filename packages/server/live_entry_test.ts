import assert from "node:assert/strict";
import { startAlone, type AloneNode } from "./_test_utils.ts";

const hourMs = 3_600_000;

// Rules 8 and 12, as a client sees them. The link plays the others' clocks.
describe("values that expire, on a node whose clock is wrong", () => {
  let alone: AloneNode;
  const shift = { ms: 0 };

  beforeEach(async () => {
    shift.ms = 0;
    const wall = (): number => Date.now() + shift.ms;
    // A step of the wall clock is none here: the monotonic clock goes with it.
    alone = await startAlone({}, { clocks: { wall, monotonic: wall } });
    await alone.node.put("for-ever", 1);
    await alone.node.put("half-an-hour", 1, { ttlMs: hourMs / 2 });
  });
  afterEach(() => alone.node.close());

  const status = async (path: string, init?: RequestInit): Promise<number> =>
    (await fetch(alone.url + path, init)).status;

  async function code(path: string, init?: RequestInit): Promise<string> {
    const answer = await fetch(alone.url + path, init);
    return ((await answer.json()) as { code: string }).code;
  }

  it("are not taken for expired by a clock that was not compared yet: 503, not 404", async () => {
    // It has started again with a clock that is ahead, and has heard nobody yet.
    shift.ms = hourMs;
    alone.link.offsetMs = undefined;
    assert.equal(await code("/kv/half-an-hour"), "not-ready");
    assert.equal(await code("/kv?prefix=half"), "not-ready");
    assert.equal(await code("/export"), "not-ready");
    assert.equal(await code("/kv?prefix=half", { method: "DELETE" }), "not-ready");
    const absent = { method: "PUT", body: "2", headers: { "If-None-Match": "*" } };
    assert.equal(await code("/kv/half-an-hour", absent), "not-ready");
    // No clock matters to these.
    assert.equal(await status("/kv/for-ever"), 200);
    assert.equal(await status("/kv/none"), 404);
    await alone.node.delete("half-an-hour");
    assert.equal(await status("/kv/half-an-hour"), 404);
  });

  it("are read by the others' clocks where this one is ahead", async () => {
    shift.ms = hourMs;
    alone.link.offsetMs = -hourMs;
    assert.equal(await status("/kv/half-an-hour"), 200);
    assert.equal((await alone.node.list({ prefix: "half" })).items.length, 1);
    assert.equal(await code("/kv/half-an-hour", { method: "PATCH" }), "method-not-allowed");
    assert.equal((await alone.node.delete("half-an-hour")).existed, true);
  });

  it("are read by the others' clocks where this one is behind, and written by them", async () => {
    shift.ms = -hourMs;
    alone.link.offsetMs = hourMs;
    await alone.node.put("ten-minutes", 1, { ttlMs: hourMs / 6 });
    const entry = await alone.node.entry("ten-minutes");
    assert.ok(Math.abs((entry?.expiresAt ?? 0) - Date.now() - hourMs / 6) < 60_000);
    alone.link.offsetMs = 2 * hourMs;
    assert.equal(await status("/kv/half-an-hour"), 404);
    assert.equal((await alone.node.list()).items.length, 1);
    assert.equal(await alone.node.touch("half-an-hour"), undefined);
  });

  it("say that the clock is the reason, where it is", async () => {
    alone.link.ready = false;
    const answer = await fetch(`${alone.url}/kv/none`);
    assert.equal(answer.status, 503);
    assert.match(await answer.text(), /the first copy is not complete/);
  });
});
