import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { EventSource } from "eventsource";
import { startAlone, until, type AloneNode } from "../_test_utils.ts";
import { runCrowd, type CrowdReport } from "./_test_crowd.ts";

/** Reads a watch over a raw socket. */
class Reader {
  text = "";
  closed = false;
  readonly socket: Socket;

  constructor(port: number, query: string, headers = "") {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("error", () => undefined);
    this.socket.on("data", (chunk: Buffer) => (this.text += chunk.toString()));
    this.socket.on("close", () => (this.closed = true));
    this.socket.write(`GET /watch${query} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  }

  get events(): { event: string; id: string; data: Record<string, unknown> }[] {
    return [...this.text.matchAll(/event: (\S+)\nid: (\S+)\ndata: (.*)\n\n/g)].map((match) => ({
      event: match[1] ?? "",
      id: match[2] ?? "",
      data: JSON.parse(match[3] ?? "null") as Record<string, unknown>,
    }));
  }

  async opened(): Promise<this> {
    await until("the watch is open", () => this.text.includes("retry: 1000"));
    return this;
  }

  #scanned = 0;
  #count = 0;

  /** Events so far; what has been counted is not looked at again. */
  get count(): number {
    for (;;) {
      const end = this.text.indexOf("\n\n", this.#scanned);
      if (end === -1) return this.#count;
      if (this.text.lastIndexOf("event: ", end) >= this.#scanned) this.#count += 1;
      this.#scanned = end + 2;
    }
  }

  async got(count: number): Promise<this> {
    await until(`${count} events`, () => this.count >= count);
    return this;
  }
}

describe("watches over HTTP", function () {
  this.timeout(60_000);
  let alone: AloneNode;
  const readers: Reader[] = [];
  const watch = (query: string, headers = ""): Reader => {
    const reader = new Reader(alone.port, query, headers);
    readers.push(reader);
    return reader;
  };
  before(async () => {
    alone = await startAlone({ http: { maxWatchBytes: 256 * 1024 } });
  });
  afterEach(() => {
    for (const reader of readers.splice(0)) reader.socket.destroy();
  });
  after(() => alone.node.close());

  it("begins with a comment and retry, then puts, deletes and expiries", async () => {
    const all = await watch("?prefix=a/").opened();
    assert.match(all.text, /^HTTP\/1\.1 200 OK\r\n[^]*text\/event-stream/);
    assert.match(all.text, /\r\n: dnd\nretry: 1000\n\n/);
    const values = await watch("?key=a/1&values=true").opened();
    const receipt = await alone.node.put("a/1", { n: 1 });
    await alone.node.put("b", 0);
    await alone.node.put("a/2", "text", { ttlMs: 50 });
    await alone.node.delete("a/1");
    await all.got(4);
    assert.deepEqual(
      all.events.map(({ event, data }) => [event, data["key"]]),
      [
        ["put", "a/1"],
        ["put", "a/2"],
        ["delete", "a/1"],
        ["expire", "a/2"],
      ],
    );
    assert.equal(all.events[0]?.id, receipt.event);
    assert.equal(all.events[0]?.data["etag"], receipt.etag);
    assert.equal("value" in (all.events[0]?.data ?? {}), false);
    await values.got(2);
    assert.deepEqual(values.events[0]?.data["value"], { n: 1 });
  });

  it("continues behind Last-Event-ID and after, without gap or repetition", async () => {
    const { event } = await alone.node.put("c/0", 0);
    for (let n = 1; n <= 1_500; n += 1) await alone.node.put(`c/${n}`, n);
    const reader = watch("?prefix=c/", `Last-Event-ID: ${event}\r\n`);
    const writing = (async () => {
      for (let n = 1_501; n <= 2_000; n += 1) await alone.node.put(`c/${n}`, n);
    })();
    await reader.got(2_000);
    await writing;
    assert.deepEqual(
      reader.events.map(({ data }) => data["key"]),
      Array.from({ length: 2_000 }, (_, index) => `c/${index + 1}`),
    );
    const later = await watch(`?prefix=c/&after=${reader.events.at(-2)?.id}`).got(1);
    assert.equal(later.events[0]?.data["key"], "c/2000");
  });

  it("says reset for an id that it cannot continue from, then goes on", async () => {
    const { id } = alone.node;
    const { event = "" } = await alone.node.put("r/0", 0);
    for (const [after, reason] of [
      ["nonsense", "the id is none that a node gives"],
      [`${id}.x`, "the id is none that a node gives"],
      ["abc.1.5", "the id is of another node"],
      [`${id}.1.1`, "the id is from before the node's last start"],
      [event.replace(/[0-9]+$/, "999999999"), "the id has not been given yet"],
    ] as const) {
      const reader = await watch("?prefix=r/", `Last-Event-ID: ${after}\r\n`).got(1);
      assert.equal(reader.events[0]?.event, "reset");
      assert.equal(reader.events[0]?.data["reason"], reason, after);
      await alone.node.put("r/1", after);
      await reader.got(2);
      assert.equal(reader.events[1]?.event, "put");
    }
  });

  it("refuses prefix and key together, and unknown names", async () => {
    for (const query of ["?prefix=a&key=b", "?prefx=a", "?key=", "?values=yes"]) {
      assert.equal((await fetch(`${alone.url}/watch${query}`)).status, 400, query);
    }
  });

  it("cuts a reader that does not read, holds no memory for it, and the others lose nothing", async () => {
    const slow = watch("?values=true");
    await slow.opened();
    slow.socket.pause();
    const good = await watch("?values=true").opened();
    const value = "x".repeat(20_000);
    let most = 0;
    for (let n = 0; n < 1_000; n += 1) {
      await alone.node.put(`slow/${n % 10}`, value + String(n));
      most = Math.max(most, process.memoryUsage().arrayBuffers);
      // One process here is writer, server and reader: let the reader have its turn.
      if (n % 10 === 0) await until("the reader follows", () => good.count >= n - 50);
    }
    const metrics = await (await fetch(`${alone.url}/metrics`)).text();
    assert.match(metrics, /dnd_watchers_cut_total [1-9]/);
    await good.got(1_000);
    assert.equal(good.count, 1_000);
    assert.ok(most < 150 * 1024 * 1024, `${most} bytes`);
    slow.socket.resume();
    await until("the slow reader is cut", () => slow.closed);
    // It comes back where it was cut.
    const back = await watch("?prefix=slow/", `Last-Event-ID: ${slow.events.at(-1)?.id}\r\n`).got(
      1,
    );
    assert.notEqual(back.events[0]?.event, "reset");
  });

  it("serves eventsource, a client that was not written here", async () => {
    const source = new EventSource(`${alone.url}/watch?prefix=es/&values=true`);
    try {
      const seen: unknown[] = [];
      source.addEventListener("put", (event) => {
        seen.push((JSON.parse(event.data as string) as { value: unknown }).value);
      });
      await until("it is open", () => source.readyState === EventSource.OPEN);
      await alone.node.put("es/1", 1);
      await until("the first event", () => seen.length === 1);
      await alone.node.put("es/2", 2);
      await until("the second event", () => seen.length === 2);
      assert.deepEqual(seen, [1, 2]);
    } finally {
      source.close();
    }
  });
});

describe("a crowd of watchers, one of which stops reading", function () {
  this.timeout(300_000);
  const check = (report: CrowdReport): void => {
    const text = JSON.stringify(report);
    assert.deepEqual(report.faults, [], text);
    assert.equal(report.cut, 1, text);
    assert.ok(report.heldMost - report.heldBefore < 48 * 1024 * 1024, text);
    if (process.env["DND_FULL"] === "1") console.log(text);
  };

  it("loses nothing and holds no memory for the one: 200 watchers of 20 prefixes", async () => {
    check(
      await runCrowd({
        ...{ watchers: 200, prefixes: 20, eventsPerSecond: 2_000, seconds: 2 },
        ...{ valueBytes: 3_000, keys: 2_000 },
      }),
    );
  });

  for (const prefixes of [999, 100, 1]) {
    const what = prefixes === 1 ? "the same prefix" : `${prefixes} prefixes`;
    it(`the same for 1,000 watchers of ${what} and 5,000 events a second`, async function () {
      if (process.env["DND_FULL"] !== "1") {
        console.log("skipped: takes long; set DND_FULL=1");
        this.skip();
      }
      check(await runCrowd({ watchers: 1_000, prefixes, eventsPerSecond: 5_000, seconds: 10 }));
    });
  }
});
