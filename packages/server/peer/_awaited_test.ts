import assert from "node:assert/strict";
import type { ReplicationEffect } from "@dnd/replication";
import { Awaited } from "./_awaited.ts";

const answer = { ok: true, acked: 2, needed: 2, superseded: false } as const;

/** Effects are events here that come at once. */
function rig(): Awaited {
  const awaited: Awaited = new Awaited({
    run: (effects) => {
      for (const effect of effects) if (effect.type === "notify") awaited.hear(effect.event);
    },
    writeTargets: () => 3,
  });
  return awaited;
}

const told = (receipt: number): ReplicationEffect => ({
  type: "notify",
  event: { type: "receipt", receipt, ...answer },
});

describe("Awaited", () => {
  it("gives each caller the answer with its number, also one that is there at once", async () => {
    const awaited = rig();
    const later = awaited.receipt(() => ({ number: 1, effects: [] }), undefined);
    const atOnce = awaited.receipt(() => ({ number: 2, effects: [told(2)] }), undefined);
    assert.deepEqual(await atOnce, { ...answer, members: 3 });
    awaited.hear({ type: "receipt", receipt: 1, ...answer, ok: false });
    assert.equal((await later).ok, false);
    awaited.hear({ type: "receipt", receipt: 1, ...answer }); // nobody asks any more
    const explained = awaited.explanation(() => ({ number: 1, effects: [] }));
    awaited.hear({ type: "explained", request: 1, key: "k", answers: [{ node: "a" }] });
    assert.deepEqual(await explained, [{ node: "a" }]);
  });

  it("ends at a signal with its reason, and then leaves the answer alone", async () => {
    const awaited = rig();
    const controller = new AbortController();
    const call = awaited.receipt(() => ({ number: 1, effects: [] }), controller.signal);
    const reason = new Error("stop here");
    controller.abort(reason);
    await assert.rejects(call, reason);
    awaited.hear({ type: "receipt", receipt: 1, ...answer });
  });

  it("rejects with what the question throws", async () => {
    const full = new RangeError("too many");
    const ask = (): never => {
      throw full;
    };
    await assert.rejects(rig().receipt(ask, undefined), full);
  });

  it("tells whether this node may leave, once at a time", async () => {
    const awaited = rig();
    const failed = awaited.departure(() => []);
    assert.equal(awaited.isLeaving, true);
    awaited.hear({ type: "leave-failed", detail: "nobody is there" });
    await assert.rejects(failed, /Cannot leave: nobody is there/);
    assert.equal(awaited.isLeaving, false);
    const left: ReplicationEffect = { type: "notify", event: { type: "left", departed: 7 } };
    assert.equal(await awaited.departure(() => [left]), 7);
  });

  it("ends everything that waits when the node is closed", async () => {
    const awaited = rig();
    const calls = [
      awaited.receipt(() => ({ number: 1, effects: [] }), undefined),
      awaited.explanation(() => ({ number: 1, effects: [] })),
      awaited.departure(() => []),
    ];
    awaited.close();
    for (const call of calls) await assert.rejects(call, { code: "closed" });
  });
});
