import { expect } from "chai";
import type { Member } from "@dnd/protocol";
import { AccusationLog, evidenceWords } from "./swim_accusations.ts";

const suspect = (id: string): Member => ({
  id,
  generation: 1,
  incarnation: 4,
  state: "suspect",
  address: "10.0.0.1:5000",
  name: "db-1",
  metadata: new Uint8Array(0),
  flags: 0,
  protocolMin: 1,
  protocolMax: 1,
  seen: 0,
  departed: 0,
  accuser: "a",
  evidence: 1 + 2,
  bootId: "",
});

describe("AccusationLog", () => {
  it("says who accused whom, with which evidence, who confirmed, and how it ended", () => {
    const log = new AccusationLog();
    log.open(suspect("x"), 1_000);
    log.confirm("x", "b");
    log.confirm("x", "b");
    log.confirm("x", "a");
    log.close("x", { at: 4_000, outcome: "dead", by: "a", evidence: 16 });
    log.close("x", { at: 5_000, outcome: "refuted", by: "x" });
    expect(log.list()).to.deep.equal([
      {
        member: "x",
        name: "db-1",
        generation: 1,
        incarnation: 4,
        at: 1_000,
        accuser: "a",
        evidence: ["no-ack", "no-indirect-ack", "stream-failed"],
        confirmedBy: ["b"],
        outcome: "dead",
        endedAt: 4_000,
        endedBy: "a",
      },
    ]);
  });

  it("is bounded, also in confirmations", () => {
    const log = new AccusationLog();
    for (let i = 0; i < 1_000; i += 1) log.open(suspect(`${i}`), i);
    for (let i = 0; i < 1_000; i += 1) log.confirm("999", `accuser ${i}`);
    const list = log.list();
    expect(list).to.have.length(256);
    expect(list.at(-1)?.confirmedBy).to.have.length(16);
  });
});

describe("evidenceWords()", () => {
  it("reads the bits, and leaves out those it does not know", () => {
    expect(evidenceWords(4 + 8 + 1_024)).to.deep.equal(["nacks", "refused"]);
    expect(evidenceWords(0)).to.deep.equal([]);
  });
});
