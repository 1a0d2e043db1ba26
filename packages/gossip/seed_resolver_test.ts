import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Resolver } from "node:dns/promises";
import { DnsServer, dnsSrv } from "./_test_utils.ts";
import { type DnsQueries, SeedResolver } from "./seed_resolver.ts";

interface Fake extends DnsQueries {
  asked: string[];
  most: number;
}

function fakeDns(
  records: Record<string, string[]>,
  srv: Record<string, [string, number][]> = {},
): Fake {
  let under = 0;
  const fake: Fake = {
    asked: [],
    most: 0,
    resolve4: (name) => answer(`A ${name}`),
    resolve6: (name) => answer(`AAAA ${name}`),
    resolveSrv: async (name) => {
      fake.asked.push(`SRV ${name}`);
      const found = srv[name];
      if (found === undefined) throw new Error(`querySrv ENOTFOUND ${name}`);
      return found.map(([target, port], n) => ({ name: target, port, priority: n, weight: 1 }));
    },
  };
  async function answer(question: string): Promise<string[]> {
    fake.asked.push(question);
    under += 1;
    fake.most = Math.max(fake.most, under);
    await new Promise<void>((resolve) => setImmediate(resolve));
    under -= 1;
    const found = records[question];
    if (found === undefined) throw new Error(`query ENOTFOUND ${question}`);
    return found;
  }
  return fake;
}

describe("SeedResolver", () => {
  let folder: string;
  let hostsFile: string;
  let resolvFile: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "dnd-resolver-"));
    hostsFile = join(folder, "hosts");
    resolvFile = join(folder, "resolv.conf");
    writeFileSync(hostsFile, "# names\n10.9.9.9  db-1 db-1.lan # mine\nbroken db-2\n");
    writeFileSync(resolvFile, "search ns.svc.local svc.local\noptions ndots:2\n");
  });
  after(() => rmSync(folder, { recursive: true }));

  it("takes IP literals, localhost and the hosts file without asking DNS", async () => {
    const dns = fakeDns({});
    const resolver = new SeedResolver({ dns, hostsFile, resolvFile });
    const answers = await Promise.all(
      ["10.0.0.7:5000", "[::1]:7", "localhost:9", "db-1.LAN:3", "10.0.0.8"].map((seed) =>
        resolver.resolve(seed),
      ),
    );
    expect(answers.map((answer) => answer.addresses)).to.deep.equal([
      ["10.0.0.7:5000"],
      ["[::1]:7"],
      ["127.0.0.1:9", "[::1]:9"],
      ["10.9.9.9:3"],
      ["10.0.0.8:5000"],
    ]);
    expect(dns.asked).to.deep.equal([]);
  });

  it("asks A and AAAA, one question at a time (RULES 16)", async () => {
    const dns = fakeDns({
      "A a.b.c": ["10.0.0.1"],
      "AAAA a.b.c": ["fd00::1"],
      "A x.y.z": ["10.0.0.2"],
    });
    const resolver = new SeedResolver({ dns, hostsFile, resolvFile });
    const [one, two] = await Promise.all([
      resolver.resolve("a.b.c:1"),
      resolver.resolve("x.y.z:2"),
    ]);
    expect(one?.addresses).to.deep.equal(["10.0.0.1:1", "[fd00::1]:1"]);
    expect(two?.addresses).to.deep.equal(["10.0.0.2:2"]);
    expect(dns.most).to.equal(1);
  });

  it("does not let a silent name server hold up seeds that need none", async () => {
    const dns = fakeDns({});
    const silent: DnsQueries = { ...dns, resolve4: () => new Promise(() => undefined) };
    const resolver = new SeedResolver({ dns: silent, hostsFile, resolvFile });
    void resolver.resolve("a.b.c:1");
    expect((await resolver.resolve("10.0.0.7:5000")).addresses).to.deep.equal(["10.0.0.7:5000"]);
    expect((await resolver.resolve("db-1:1")).addresses).to.deep.equal(["10.9.9.9:1"]);
  });

  it("follows SRV records to their targets and ports", async () => {
    const dns = fakeDns(
      { "A n1.x.org": ["10.0.0.1"], "A n2.x.org": ["10.0.0.2"] },
      {
        "_dnd._udp.x.org": [
          ["n1.x.org", 5001],
          ["gone.x.org", 1],
          ["n2.x.org", 5002],
        ],
      },
    );
    const resolver = new SeedResolver({ dns, hostsFile, resolvFile });
    const { addresses } = await resolver.resolve("_dnd._udp.x.org");
    expect(addresses).to.deep.equal(["10.0.0.1:5001", "10.0.0.2:5002"]);
  });

  it("tries short names below the search list first, as the resolver of the system does", async () => {
    const dns = fakeDns({ "A dnd-0.dnd.svc.local": ["10.0.0.3"] });
    const resolver = new SeedResolver({ dns, hostsFile, resolvFile });
    expect((await resolver.resolve("dnd-0.dnd:1")).addresses).to.deep.equal(["10.0.0.3:1"]);
    expect(dns.asked[0]).to.equal("A dnd-0.dnd.ns.svc.local");
    dns.asked.length = 0;
    await resolver.resolve("dnd-0.dnd.:1");
    expect(dns.asked).to.deep.equal(["A dnd-0.dnd", "AAAA dnd-0.dnd"]);
  });

  it("asks a real name server for A, AAAA and SRV by dns.Resolver", async () => {
    const server = await DnsServer.start();
    try {
      server.records.set("A n1.example.org", [Buffer.from([10, 0, 0, 1])]);
      server.records.set("AAAA n1.example.org", [
        Buffer.from("fd00".padEnd(30, "0") + "01", "hex"),
      ]);
      server.records.set("SRV _dnd._udp.example.org", [dnsSrv(5001, "n1.example.org")]);
      const dns = new Resolver({ timeout: 1_000, tries: 1 });
      dns.setServers([`127.0.0.1:${server.port}`]);
      const resolver = new SeedResolver({ dns, hostsFile, resolvFile });
      const both = ["10.0.0.1:5001", "[fd00::1]:5001"];
      expect((await resolver.resolve("n1.example.org:5001")).addresses).to.deep.equal(both);
      expect((await resolver.resolve("_dnd._udp.example.org")).addresses).to.deep.equal(both);
      const { addresses, reason } = await resolver.resolve("gone.example.org:1");
      expect(addresses).to.deep.equal([]);
      expect(reason).to.contain("ENOTFOUND");
    } finally {
      server.close();
    }
  });

  it("never rejects: it says why there is no address", async () => {
    const resolver = new SeedResolver({ dns: fakeDns({}), hostsFile, resolvFile });
    for (const seed of ["nobody.example.org:1", "not a host", "_x._udp.example.org", "h:99999"]) {
      const { addresses, reason } = await resolver.resolve(seed);
      expect(addresses).to.deep.equal([]);
      expect(reason, seed).to.be.a("string").that.is.not.empty;
    }
  });
});
