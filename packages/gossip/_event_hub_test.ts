import { expect } from "chai";
import { EventHub } from "./_event_hub.ts";

type Event = { type: "n"; n: number } | { type: "lost"; count: number };

function hubOf(bound: number): { hub: EventHub<Event>; errors: unknown[] } {
  const errors: unknown[] = [];
  const hub = new EventHub<Event>({
    bound,
    lost: (count) => ({ type: "lost", count }),
    onListenerError: (error) => void errors.push(error),
  });
  return { hub, errors };
}

describe("EventHub", () => {
  it("gives every reader every event in order, from the call of events() on", async () => {
    const { hub } = hubOf(8);
    const [a, b] = [hub.events(), hub.events()];
    hub.emit({ type: "n", n: 1 });
    hub.emit({ type: "n", n: 2 });
    hub.close();
    for (const reader of [a, b]) {
      const seen: unknown[] = [];
      for await (const event of reader) seen.push(event.type === "n" ? event.n : event);
      expect(seen).to.deep.equal([1, 2]);
    }
  });

  it("tells a slow reader how many it lost and keeps the newest, bounded", async () => {
    const { hub } = hubOf(4);
    const reader = hub.events();
    for (let n = 0; n < 100; n++) hub.emit({ type: "n", n });
    hub.close();
    const seen: unknown[] = [];
    for await (const event of reader) seen.push(event.type === "n" ? event.n : event.count);
    expect(seen).to.deep.equal([96, 96, 97, 98, 99]);
  });

  it("wakes a reader that waits, and ends it by return() and by close()", async () => {
    const { hub } = hubOf(4);
    const reader = hub.events();
    const waiting = reader.next();
    hub.emit({ type: "n", n: 7 });
    expect((await waiting).value).to.deep.equal({ type: "n", n: 7 });
    const blocked = reader.next();
    await reader.return?.();
    expect((await blocked).done).to.equal(true);
    const other = hub.events().next();
    hub.close();
    expect((await other).done).to.equal(true);
    expect((await hub.events().next()).done).to.equal(true);
  });

  it("calls the other callbacks when one throws", () => {
    const { hub, errors } = hubOf(4);
    const seen: number[] = [];
    hub.listen(() => {
      throw new Error("boom");
    });
    const off = hub.listen((event) => void seen.push(event.type === "n" ? event.n : -1));
    hub.emit({ type: "n", n: 1 });
    off();
    hub.emit({ type: "n", n: 2 });
    expect(seen).to.deep.equal([1]);
    expect(errors).to.have.length(2);
  });
});
