import { expect } from "chai";
import { formatHostPort, parseHostPort, unmapAddress } from "./host_port.ts";

describe("parseHostPort()", () => {
  it("reads names, IPv4 and bracketed IPv6", () => {
    expect(parseHostPort("10.0.0.7:5000")).to.deep.equal({ host: "10.0.0.7", port: 5000 });
    expect(parseHostPort("[::1]:5000")).to.deep.equal({ host: "::1", port: 5000 });
    expect(parseHostPort("DB-1.internal:1")).to.deep.equal({ host: "db-1.internal", port: 1 });
    expect(parseHostPort("_dnd._udp.example.org", 5000).port).to.equal(5000);
    expect(parseHostPort("[fe80::1]", 7)).to.deep.equal({ host: "fe80::1", port: 7 });
  });

  it("refuses what is not host:port and says how to write it", () => {
    for (const text of [
      "",
      ":5000",
      "host",
      "host:",
      "::1:5000",
      "[::1",
      "[x]:1",
      "a b:1",
      "1.2.3:5",
      "1.2.3.999:5",
      "host:5000:1",
      "http://host:1",
      "host:-1",
      "host:0x10",
    ]) {
      expect(() => parseHostPort(text), text).to.throw(TypeError, "Cannot read the address");
    }
    expect(() => parseHostPort("host:65536")).to.throw(RangeError, "65535");
  });
});

describe("formatHostPort()", () => {
  it("puts IPv6 in brackets and unmaps IPv4", () => {
    expect(formatHostPort("::1", 5)).to.equal("[::1]:5");
    expect(formatHostPort("::ffff:10.0.0.7", 5)).to.equal("10.0.0.7:5");
    expect(formatHostPort("host", 5)).to.equal("host:5");
    expect(unmapAddress("::ffff:abcd")).to.equal("::ffff:abcd");
  });
});
