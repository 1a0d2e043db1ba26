import { expect } from "chai";
import { describe, it } from "mocha";
import type { OwnOpen } from "./_exchange_host.ts";
import { settleTerms, type Settlement } from "./_exchange_terms.ts";

type Side = Pick<OwnOpen, "ready" | "seen" | "horizon"> & { readonly below?: number };

function opening({ ready, seen, horizon, below = seen }: Side): OwnOpen {
  const rest = {
    heard: [],
    clock: 900,
    reason: "join",
    counter: 1,
    keys: 1,
    bytes: 1,
    copies: true,
    anchored: true,
  };
  return { ...rest, ready, seen, horizon, below };
}

/** What the opener and the server settle. */
function settle(opener: Side, server: Side): readonly [Settlement, Settlement] {
  const made = (own: Side, peer: Side, role: "opener" | "server"): Settlement => {
    const openings = { own: opening(own), peer: { ...opening(peer), extra: undefined }, role };
    return settleTerms({ ...openings, reason: "join", onWaySince: Infinity } as never, 1e12);
  };
  return [made(opener, server, "opener"), made(server, opener, "server")];
}

const MEMBER: Side = { ready: true, seen: 500, horizon: 100 };
const YOUNG: Side = { ready: true, seen: 500, horizon: 0 };
const NEW: Side = { ready: false, seen: 0, horizon: 0 };
const ALONE: Side = { ready: true, seen: 0, horizon: 0 };
const LATE: Side = { ready: true, seen: 50, horizon: 20 };

describe("the terms of an exchange (rule 1)", () => {
  it("let exactly one side drive, whoever opens", () => {
    for (const a of [MEMBER, YOUNG, NEW, ALONE, LATE]) {
      for (const b of [MEMBER, YOUNG, NEW, ALONE, LATE]) {
        const [opener, server] = settle(a, b);
        expect(opener.drives, JSON.stringify([a, b])).to.equal(!server.drives);
        expect(opener.terms.horizon).to.equal(server.terms.horizon);
        expect(opener.terms.below).to.equal(server.terms.peerBelow);
      }
    }
  });

  it("let who is not counted yet drive and keep its deletes: who is not ready, and who was alone", () => {
    for (const joining of [NEW, ALONE]) {
      for (const member of [MEMBER, YOUNG]) {
        for (const [own] of [settle(joining, member), settle(member, joining).toReversed()]) {
          expect(own?.drives).to.equal(true);
          expect(own?.terms.joins).to.equal(true);
        }
      }
    }
    const [one, other] = settle(ALONE, ALONE);
    expect([one.terms.joins, other.terms.joins]).to.deep.equal([false, false]);
  });

  it("let who missed reaped deletes take the peer's state", () => {
    const [opener, server] = settle(MEMBER, LATE);
    expect(server).to.deep.include({ drives: true, met: true });
    expect(server.terms.below).to.equal(true);
    expect(opener.terms.peerBelow).to.equal(true);
  });
});
