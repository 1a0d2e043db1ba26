import { expect } from "chai";
import type { EngineReport } from "./_engine_protocol.ts";
import { ReportQueue } from "./_report_queue.ts";
import { unpackUpdates } from "./_update_batch.ts";
import { SharedState } from "./shared_state.ts";

const from = "ab".repeat(16);

describe("ReportQueue", () => {
  it("hands a turn's updates over as one transferred buffer (RULES 15)", () => {
    const reports: EngineReport[] = [];
    const queue = new ReportQueue(new SharedState(), (report) => void reports.push(report));
    for (let n = 0; n < 3; n++) queue.add({ type: "update", from, bytes: Uint8Array.of(n) });
    queue.flush();
    queue.flush();
    expect(reports).to.have.length(1);
    const [report] = reports;
    const updates = report?.type === "updates" ? unpackUpdates(report.buffer) : [];
    expect(updates.map(({ bytes }) => bytes[0])).to.deep.equal([0, 1, 2]);
    expect(updates.every(({ ids }) => ids[0] === from)).to.equal(true);
  });

  it("drops updates beyond 8 MiB that the host has not taken, and marks it", () => {
    const shared = new SharedState();
    let handed = 0;
    const queue = new ReportQueue(shared, (report) => {
      if (report.type === "updates") handed += report.buffer.byteLength;
    });
    for (let n = 0; n < 10_000; n++)
      queue.add({ type: "update", from, bytes: new Uint8Array(1_000) });
    queue.flush();
    expect(handed)
      .to.be.at.most(8 << 20)
      .and.above(8_000_000);
    expect(queue.updatesDropped).to.be.greaterThan(1_500);
    expect(shared.dropped).to.equal(true);
    shared.giveCredit("toMain", handed);
    queue.add({ type: "update", from, bytes: new Uint8Array(1) });
    queue.flush();
    expect(shared.underWay("toMain")).to.equal(23);
  });

  it("drops events beyond its bound and then gives the whole table", () => {
    const shared = new SharedState();
    const reports: EngineReport[] = [];
    const queue = new ReportQueue(shared, (report) => void reports.push(report));
    for (let n = 0; n < 5_000; n++) queue.add({ type: "joined", generation: n });
    queue.recover(() => []);
    queue.flush();
    expect(reports.filter(({ type }) => type === "table")).to.have.length(0);
    expect(queue.eventsDropped).to.equal(904);
    shared.giveCredit("events", 4_096);
    queue.recover(() => []);
    expect(reports.at(-1)).to.deep.equal({ type: "table", members: [], lost: 904 });
    queue.add({ type: "joined", generation: 1 });
    queue.flush();
    expect(reports.at(-1)?.type).to.equal("events");
  });
});
