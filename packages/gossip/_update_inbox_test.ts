import { expect } from "chai";
import { until } from "./_test_utils.ts";
import { batchedBytes, packUpdates } from "./_update_batch.ts";
import { UpdateInbox } from "./_update_inbox.ts";
import { SharedState } from "./shared_state.ts";

const updates = Array.from({ length: 200 }, (_, n) => ({ ids: [], bytes: Uint8Array.of(n) }));

describe("UpdateInbox", () => {
  it("sends a first part at once and the rest in later turns, in order", async () => {
    const sent: number[] = [];
    const inbox = new UpdateInbox({
      shared: new SharedState(),
      hasRoom: () => true,
      send: ({ bytes }) => void sent.push(bytes[0] ?? -1),
      guard: (action) => action(),
    });
    inbox.add(packUpdates(updates));
    expect(sent).to.have.length(64);
    inbox.add(packUpdates(updates.slice(0, 1)));
    expect(sent, "what came first goes first").to.have.length(64);
    await until(() => sent.length === 201);
    expect(sent).to.deep.equal([...updates.keys(), 0]);
  });

  it("holds back, with the credit, what the socket does not take (RULES 15)", async () => {
    const shared = new SharedState();
    const total = updates.reduce((sum, update) => sum + batchedBytes(update), 0);
    shared.takeCredit("toWorker", total, total);
    let room = 10;
    const inbox = new UpdateInbox({
      shared,
      hasRoom: () => room > 0,
      send: () => (room -= 1),
      guard: (action) => action(),
    });
    inbox.add(packUpdates(updates));
    expect(shared.underWay("toWorker")).to.equal(total - 10 * 7);
    room = 1_000;
    await until(() => shared.underWay("toWorker") === 0);
  });
});
