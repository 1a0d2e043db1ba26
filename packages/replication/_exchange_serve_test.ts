import { expect } from "chai";
import { describe, it } from "mocha";
import { VersionedMap } from "@dnd/store";
import type { ExchangeHost, ExchangeTerms } from "./_exchange_host.ts";
import { ExchangeServe } from "./_exchange_serve.ts";
import { ExchangeError } from "./exchange_error.ts";
import { idOf } from "./_test_utils.ts";
import type { PeerFrame } from "./wire.ts";

const terms: ExchangeTerms = {
  horizon: 0,
  below: false,
  peerBelow: false,
  joins: false,
  cutoff: Infinity,
};
const extra = new Uint8Array(0);

function serve(): ExchangeServe {
  const unused = (): never => {
    throw new Error("not a part of this test");
  };
  const map = new VersionedMap({ node: idOf(1) });
  const host = new Proxy(
    { map, options: { frameBytes: 128 * 1024 } },
    { get: (target, name): unknown => Reflect.get(target, name) ?? unused },
  );
  return new ExchangeServe(host as unknown as ExchangeHost, terms);
}

function leafSums(bytes: number): PeerFrame {
  return { type: "leafSums", level: 3, index: 7, fingerprints: new Uint8Array(bytes), extra };
}

/** How many of these are taken before the peer is cut off. */
function taken(side: ExchangeServe, frame: PeerFrame): number {
  for (let count = 0; ; count += 1) {
    try {
      side.handle(frame);
    } catch (error) {
      expect(error).to.be.instanceOf(ExchangeError).with.property("code", "misbehaved");
      return count;
    }
  }
}

describe("requests that wait to be served", () => {
  it("are bounded in number", () => {
    expect(taken(serve(), leafSums(8))).to.equal(256);
  });

  it("are bounded in bytes: a peer that fills them costs 16 MiB, not 64", () => {
    const count = taken(serve(), leafSums(256 * 1024 - 64));
    expect(count).to.be.within(60, 64);
    const keys = Array.from({ length: 1000 }, () => "k".repeat(250));
    expect(taken(serve(), { type: "want", sequence: 1, keys, extra })).to.be.within(60, 68);
  });

  it("take up no room any more once they are served", () => {
    const side = serve();
    for (let round = 0; round < 18; round += 1) {
      for (let i = 0; i < 8; i += 1) side.handle(leafSums(128 * 1024));
      let frames = 0;
      while (side.next() !== undefined) frames += 1;
      expect(frames).to.be.at.least(8);
    }
    expect(side.idle).to.equal(true);
  });
});
