import { expect } from "chai";
import { networkInterfaces } from "node:os";
import { isIP } from "node:net";
import { advertisedAddress, checkKeys, checkOptions, isLoopback } from "./_validate_options.ts";

describe("checkOptions()", () => {
  it("fills in a node on a free loopback port", () => {
    const options = checkOptions({});
    expect(options).to.include({ address: "127.0.0.1", port: 0, cluster: "dnd", thread: "worker" });
    expect(options.id).to.match(/^[0-9a-f]{32}$/);
    expect(checkOptions({}).id).to.not.equal(options.id);
  });

  it("refuses a bind that others can reach without keys, unless it is told to", () => {
    for (const address of ["0.0.0.0", "10.0.0.7", "::", "fd00::1"]) {
      expect(() => checkOptions({ address }), address).to.throw(TypeError, "without keys");
      expect(checkOptions({ address, insecure: true }).address).to.equal(address);
      expect(checkOptions({ address, keys: [new Uint8Array(32)] }).keys).to.have.length(1);
    }
    expect(["127.0.0.1", "127.9.9.9", "::1"].map(isLoopback)).to.deep.equal([true, true, true]);
    expect(isLoopback("::ffff:10.0.0.7")).to.equal(false);
  });

  it("never shows a key", () => {
    const key = new Uint8Array(31).fill(65);
    expect(() => checkOptions({ keys: [key] })).to.throw(TypeError, /^(?!.*(65|AAA)).*31 bytes/);
  });
});

describe("checkKeys()", () => {
  it("refuses a key twice, and too many", () => {
    const key = new Uint8Array(32).fill(1);
    expect(() => checkKeys([key, key.slice()])).to.throw(RangeError, "twice");
    const many = Array.from({ length: 17 }, (_, n) => new Uint8Array(32).fill(n));
    expect(() => checkKeys(many)).to.throw(RangeError, "at most 16");
    expect(() => checkKeys(many.slice(1))).to.not.throw();
  });
});

describe("advertisedAddress()", () => {
  it("is the bound address, unless told otherwise", () => {
    const bound = { host: "127.0.0.1", port: 5000 };
    expect(advertisedAddress(bound, undefined)).to.equal("127.0.0.1:5000");
    expect(advertisedAddress(bound, "node-1.internal")).to.equal("node-1.internal:5000");
    expect(advertisedAddress(bound, "[fd00::1]:7")).to.equal("[fd00::1]:7");
    expect(advertisedAddress({ host: "::1", port: 5 }, undefined)).to.equal("[::1]:5");
  });

  it("for a wildcard bind is the machine's only address, or an error that names the candidates", () => {
    const own = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal, address }) => !internal && isIP(address) === 4)
      .map(({ address }) => address);
    const ask = (): string => advertisedAddress({ host: "0.0.0.0", port: 5000 }, undefined);
    if (own.length === 1) expect(ask()).to.equal(`${own[0]}:5000`);
    else expect(ask).to.throw(TypeError, "advertise one address");
  });
});
