import assert from "node:assert/strict";
import { peerFault } from "./check_peer.ts";

describe("peerFault()", () => {
  it("takes host:port, IPv6 in brackets, and service names", () => {
    for (const peer of ["10.0.0.7:5000", "db-1.internal:1", "[::1]:65535", "_dnd._udp.a.org"]) {
      assert.equal(peerFault(peer), undefined, peer);
    }
  });

  it("says what is wrong with anything else", () => {
    const faults = ["", "nonsense", "a:", ":5000", "::1:5000", "http://a:1", "a:b", "1.2.3:4"];
    for (const peer of faults) assert.match(peerFault(peer) ?? "", /write host:port/, peer);
    assert.match(peerFault("a:0") ?? "", /port 0/);
    assert.match(peerFault("a:65536") ?? "", /65535/);
  });
});
