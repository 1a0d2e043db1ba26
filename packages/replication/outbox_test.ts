import { expect } from "chai";
import { describe, it } from "mocha";
import { encode } from "@dnd/protocol";
import { VersionedMap, type Entry } from "@dnd/store";
import { Outbox, type OutboxOptions } from "./outbox.ts";
import { bytesOf, idOf, seeded, START_MS } from "./_test_utils.ts";

function outbox(options: Partial<OutboxOptions> = {}): Outbox {
  return new Outbox({
    maxUpdateBytes: 1100,
    directLimit: 9,
    fanout: 4,
    rounds: 2,
    roundIntervalMs: 50,
    outboxEntries: 1000,
    outboxBytes: 1_000_000,
    flushPackets: 128,
    bulkBytes: 1_000_000,
    frameBytes: 128 * 1024,
    prng: seeded(1),
    ...options,
  });
}

const map = new VersionedMap({ node: idOf(1) });
function entry(key: string, value: string | Uint8Array = "value"): Entry {
  const bytes = typeof value === "string" ? bytesOf(value) : value;
  return map.put(key, bytes, { now: START_MS });
}

function ids(count: number, from = 2): string[] {
  return Array.from({ length: count }, (_, i) => idOf(from + i));
}

const now = START_MS;

describe("Outbox", () => {
  it("keeps one entry for each key, the newest", () => {
    const box = outbox();
    const first = entry("k", "1");
    const second = entry("k", "2");
    box.add(second, { now });
    box.add(first, { now });
    expect(box.size).to.equal(1);
    const { packets } = box.flush(ids(2), { now });
    expect(packets.flatMap((packet) => packet.entries)).to.deep.equal([second]);
  });

  it("tells every other member at once when they are few, and is empty then", () => {
    const box = outbox();
    box.add(entry("a"), { now });
    box.add(entry("b"), { now });
    const { packets, nextInMs } = box.flush(ids(4), { now });
    expect(packets).to.have.length(1);
    expect([...(packets[0]?.to ?? [])].sort()).to.deep.equal(ids(4));
    expect(packets[0]?.entries).to.have.length(2);
    expect(nextInMs).to.equal(undefined);
    expect(box.size).to.equal(0);
    expect(box.bytes).to.equal(0);
  });

  it("passes on what it was told to one other, never to the teller or the writer", () => {
    const box = outbox();
    box.add(entry("a"), { now, from: idOf(2) });
    const { packets } = box.flush([idOf(1), ...ids(3)], { now });
    expect(packets).to.have.length(1);
    expect(packets[0]?.to).to.have.length(1);
    expect([idOf(3), idOf(4)]).to.include(packets[0]?.to[0]);
  });

  it("tells a part of a large cluster, in as many rounds as it should", () => {
    const box = outbox();
    box.add(entry("a"), { now });
    const first = box.flush(ids(50), { now });
    expect(first.packets[0]?.to).to.have.length(4);
    expect(first.nextInMs).to.equal(50);
    expect(box.flush(ids(50), { now: now + 10 }).packets).to.deep.equal([]);
    const second = box.flush(ids(50), { now: now + 50 });
    expect(second.packets[0]?.to).to.have.length(4);
    expect(second.nextInMs).to.equal(undefined);
    expect(box.size).to.equal(0);
  });

  it("fills packets, and never above the budget", () => {
    const box = outbox();
    for (let i = 0; i < 200; i += 1) box.add(entry(`key ${i}`, "x".repeat(i)), { now });
    const { packets } = box.flush(ids(2), { now });
    const sizes = packets.map(({ entries }) => encode({ counter: 200, entries }, "Update").length);
    expect(Math.max(...sizes)).to.be.at.most(1100);
    const filled = sizes.slice(0, -1).filter((size) => size > 800);
    expect(filled.length).to.equal(sizes.length - 1);
    expect(packets.flatMap((packet) => packet.entries)).to.have.length(200);
  });

  it("gives what is too large for a packet to the stream, and does not pass it on when few", () => {
    const box = outbox();
    const large = entry("large", new Uint8Array(5000));
    box.add(large, { now });
    const { packets, pushes } = box.flush(ids(2), { now });
    expect(packets).to.deep.equal([]);
    expect(pushes.map((push) => push.entry)).to.deep.equal([large]);
    expect([...(pushes[0]?.to ?? [])].sort()).to.deep.equal(ids(2));
    box.add(large, { now, from: idOf(2) });
    expect(box.flush(ids(2), { now }).pushes).to.deep.equal([]);
    expect(box.size).to.equal(0);
  });

  it("is bounded in entries and bytes: drops, counts, and says so", () => {
    const box = outbox({ outboxEntries: 10 });
    const told = Array.from({ length: 12 }, (_, i) => box.add(entry(`key${i}`), { now }));
    expect(told.filter((ok) => !ok)).to.have.length(2);
    expect(box.dropped).to.equal(2);
    expect(box.size).to.equal(10);
    const narrow = outbox({ outboxBytes: 2000 });
    expect(narrow.add(entry("a", new Uint8Array(1500)), { now })).to.equal(true);
    expect(narrow.add(entry("b", new Uint8Array(1500)), { now })).to.equal(false);
    expect(narrow.add(entry("a", new Uint8Array(1400)), { now })).to.equal(true);
  });

  it("sends a bounded number of packets at a time, the rest in the next turn", () => {
    const box = outbox({ flushPackets: 2 });
    for (let i = 0; i < 10; i += 1) box.add(entry(`key${i}`, "x".repeat(900)), { now });
    const told: Entry[] = [];
    for (let turn = 0; turn < 20 && box.size > 0; turn += 1) {
      const { packets, nextInMs } = box.flush(ids(2), { now });
      expect(packets.length).to.be.at.most(3);
      if (box.size > 0) expect(nextInMs).to.equal(0);
      told.push(...packets.flatMap((packet) => packet.entries));
    }
    expect(told).to.have.length(10);
  });

  it("gives a burst to the streams in a small cluster: in pieces, once, and nothing that others wrote", () => {
    const box = outbox({ bulkBytes: 8000, outboxEntries: 2000 });
    for (let i = 0; i < 1500; i += 1) box.add(entry(`key ${i}`, "x".repeat(100)), { now });
    const passedOn = entry("told", "x");
    const large = entry("large", new Uint8Array(5000));
    box.add(passedOn, { now, from: idOf(2) });
    box.add(large, { now });
    const { bulks, packets, pushes } = box.flush(ids(3), { now });
    const sizes = bulks.map(({ entries }) => encode({ counter: 1500, entries }, "Update").length);
    expect(Math.max(...sizes)).to.be.at.most(64 * 1024);
    expect(bulks.length).to.be.within(2, 5);
    for (const { to } of bulks) expect([...to].sort()).to.deep.equal(ids(3));
    expect(bulks.flatMap(({ entries }) => entries)).to.have.length(1500);
    expect(packets.flatMap(({ entries }) => entries)).to.deep.equal([passedOn]);
    expect(pushes.map((push) => push.entry)).to.deep.equal([large]);
    expect(box.size).to.equal(0);
    expect(box.bytes).to.equal(0);

    box.add(entry("few"), { now });
    expect(box.flush(ids(3), { now }).bulks).to.deep.equal([]);
    for (let i = 0; i < 200; i += 1) box.add(entry(`key ${i}`, "x".repeat(100)), { now });
    expect(box.flush(ids(20), { now }).bulks).to.deep.equal([]); // told by gossip
  });

  it("gives a single write to the streams that take it, and to the others in packets", () => {
    const box = outbox();
    const [a, b, large] = [entry("a"), entry("b"), entry("large", new Uint8Array(5000))];
    box.add(a, { now });
    box.add(b, { now, from: idOf(2), dueAt: now + 50 });
    box.add(large, { now });
    const open = (...ids: string[]) => ({ now, isStreamed: (id: string) => ids.includes(id) });
    const first = box.flush(ids(3), open(idOf(2), idOf(4)));
    expect(first.bulks.map(({ entries }) => entries)).to.deep.equal([[a]]);
    expect([...(first.bulks[0]?.to ?? [])].sort()).to.deep.equal([idOf(2), idOf(4)]);
    expect(first.packets.map(({ to, entries }) => ({ to, entries }))).to.deep.equal([
      { to: [idOf(3)], entries: [a] },
    ]);
    expect([...(first.pushes[0]?.to ?? [])].sort()).to.deep.equal(ids(3));
    expect(first.nextInMs).to.equal(50);

    box.add(a, { now });
    const second = box.flush(ids(3), open(...ids(3)));
    expect(second.bulks.map(({ entries }) => entries)).to.deep.equal([[a]]);
    expect(second.packets).to.deep.equal([]);
    expect(box.size).to.equal(1);

    // What was told by somebody is passed on in packets, later; at once if the clock was set back.
    expect(box.flush(ids(3), { ...open(...ids(3)), now: now + 49 }).packets).to.deep.equal([]);
    expect(box.flush(ids(3), { ...open(...ids(3)), now: now - 60 }).packets).to.have.length(1);
    expect([box.size, box.bytes]).to.deep.equal([0, 0]);
    // A newer version of its own takes the place of what waits.
    box.add(b, { now, from: idOf(2), dueAt: now + 50 });
    const newer = entry("b", "newer");
    box.add(newer, { now });
    expect(box.flush(ids(3), { now }).packets.map(({ entries }) => entries)).to.deep.equal([
      [newer],
    ]);
    expect([box.size, box.bytes]).to.deep.equal([0, 0]);
  });

  it("forgets everything when there is nobody: who comes later copies", () => {
    const box = outbox();
    box.add(entry("a"), { now });
    expect(box.flush([], { now })).to.deep.equal({
      bulks: [],
      packets: [],
      pushes: [],
      nextInMs: undefined,
    });
    expect(box.size).to.equal(0);
  });
});
