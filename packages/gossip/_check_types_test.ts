import { expect } from "chai";
import { checkPeers, checkTypes } from "./_check_types.ts";

describe("checkTypes()", () => {
  it("refuses options that do not exist, by name", () => {
    for (const name of ["seed", "prot", "Port", "toString", "constructor"]) {
      expect(() => checkTypes({ [name]: undefined }), name).to.throw(TypeError, `option ${name};`);
    }
  });

  it("refuses options of a wrong type, by name and value", () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{ port: "5000" }, 'port is "5000"'],
      [{ port: null }, "port is null"],
      [{ address: 7 }, "address is 7"],
      [{ advertise: 7 }, "advertise is 7"],
      [{ seeds: "10.0.0.7:5000" }, 'seeds is "10.0.0.7:5000"'],
      [{ seeds: [7] }, "seeds is an array of 1"],
      [{ seeds: new Set(["a:1"]) }, "seeds is an object"],
      [{ cluster: 7 }, "cluster is 7"],
      [{ name: null }, "name is null"],
      [{ metadata: 7 }, "metadata is 7"],
      [{ metadata: null }, "metadata is null"],
      [{ thread: "Main" }, 'thread is "Main"'],
      [{ profile: "toString" }, 'profile is "toString"'],
      [{ sealing: "off" }, 'sealing is "off"'],
      [{ keys: new Uint8Array(32) }, "keys is an object"],
      [{ insecure: 1 }, "insecure is 1"],
      [{ volatile: "yes" }, 'volatile is "yes"'],
      [{ remembered: [{}] }, "remembered is an array of 1"],
      [{ timing: 7 }, "timing is 7"],
      [
        { timing: { probeIntervall: 7 } },
        "an object without probeIntervall; there are probeIntervalMs",
      ],
      [{ logger: {} }, "a function debug"],
      [{ logger: null }, "logger is null"],
      [{ forgetAfterMs: "1h" }, 'forgetAfterMs is "1h"'],
      [{ dns: 7 }, "dns is 7"],
    ];
    for (const [options, message] of wrong) {
      expect(() => checkTypes(options), message).to.throw(TypeError, message);
    }
    for (const options of [null, undefined, 7, "x", [], () => 1]) {
      expect(() => checkTypes(options)).to.throw(TypeError, "give an object");
    }
  });

  it("takes what is undefined for absent", () => {
    checkTypes({ port: undefined, seeds: undefined, logger: undefined });
  });
});

describe("checkPeers()", () => {
  it("refuses what cannot be called", () => {
    checkPeers(["10.0.0.7:5000", "[::1]:5000", "node-1.internal", "_dnd._udp.example.org"]);
    for (const peers of ["a:1", undefined, null, [7], ["a:0"], ["a:b:c"], [""], ["http://a:1"]]) {
      expect(() => checkPeers(peers as never), JSON.stringify(peers)).to.throw(TypeError, "Cannot");
    }
    expect(() => checkPeers(["a:70000"])).to.throw(RangeError, "above 65535");
  });
});
