import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Entry } from "@dnd/store";
import { startAlone, until, type AloneNode } from "../_test_utils.ts";
import type { EntriesOptions } from "@dnd/store";

const mebibyte = 1024 * 1024;
/** What may be on its way between the node and a reader or writer that waits: pages, buffers of two sockets. */
const buffered = 16 * mebibyte;

const coreOf = ({ node }: AloneNode): object => Reflect.get(node, "core") as object;

/** A data set as large as one likes, that takes no memory: what was read of it is counted. */
class EndlessEntries {
  readonly #count: number;
  readonly #value: Uint8Array;
  read = 0;
  /** Most bytes of one page. */
  most = 0;

  constructor(count: number, valueBytes: number) {
    this.#count = count;
    this.#value = new Uint8Array(valueBytes).fill(0x61);
  }

  readonly entries = ({ after, limit = Infinity }: EntriesOptions): Entry[] => {
    const first = after === undefined ? 0 : Number(after) + 1;
    const page: Entry[] = [];
    for (let n = first; n < this.#count && page.length < limit; n += 1) {
      const key = String(n).padStart(6, "0");
      page.push({ key, value: this.#value, version: { time: 1, node: "a" } });
    }
    const bytes = page.length * this.#value.length;
    this.read += bytes;
    this.most = Math.max(this.most, bytes);
    return page;
  };
}

async function withAlone(run: (alone: AloneNode) => Promise<void>): Promise<void> {
  const alone = await startAlone();
  try {
    await run(alone);
  } finally {
    await alone.node.close();
  }
}

async function open(port: number, text: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(text);
  return socket;
}

/** Waits until a number has not changed for a while. */
async function settled(what: string, value: () => number): Promise<number> {
  let last = -1;
  let since = performance.now();
  await until(what, () => {
    const now = value();
    if (now !== last) {
      last = now;
      since = performance.now();
    }
    return performance.now() - since > 300;
  });
  return last;
}

describe("export", function () {
  this.timeout(60_000);

  it("reads no further than its reader: 128 MB, and a few of them in memory", () =>
    withAlone(async (alone) => {
      const data = new EndlessEntries(128, mebibyte);
      Object.assign(alone.link.map, { entries: data.entries });
      const socket = await open(
        alone.port,
        "GET /export HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      );
      let got = 0;
      let ahead = 0;
      socket.pause();
      ahead = await settled("the node stops reading", () => data.read);
      assert.ok(ahead > 0 && ahead < buffered, `read ${ahead} bytes for who reads none`);
      socket.on("data", (chunk: Buffer) => {
        got += chunk.length;
        ahead = Math.max(ahead, data.read - got);
      });
      socket.resume();
      await once(socket, "close");
      assert.ok(got > 128 * mebibyte, `${got} bytes came`);
      assert.equal(data.read, 128 * mebibyte);
      assert.ok(ahead < buffered, `${ahead} bytes ahead of the reader`);
      assert.ok(data.most <= 8 * mebibyte, `a page of ${data.most} bytes`);
    }));

  it("ends when its reader goes away", () =>
    withAlone(async (alone) => {
      const data = new EndlessEntries(128, mebibyte);
      Object.assign(alone.link.map, { entries: data.entries });
      const socket = await open(alone.port, "GET /export HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await once(socket, "data");
      socket.destroy();
      assert.ok((await settled("the node stops reading", () => data.read)) < 100 * mebibyte);
    }));
});

describe("a list of large values", () => {
  it("holds their names, and no more than a page of them at a time", () =>
    withAlone(async (alone) => {
      const data = new EndlessEntries(100_000, mebibyte);
      Object.assign(alone.link.map, { entries: data.entries });
      const answer = await fetch(`${alone.url}/kv?limit=1000`);
      const { items, cursor } = (await answer.json()) as {
        items: { key: string; size: number }[];
        cursor?: string;
      };
      assert.equal(items.length, 1000);
      assert.deepEqual([items[0]?.size, items[999]?.key], [mebibyte, "000999"]);
      assert.ok(cursor !== undefined);
      assert.ok(data.most <= 8 * mebibyte, `a page of ${data.most} bytes`);
    }));
});

describe("import", function () {
  this.timeout(60_000);

  const head = (bytes: number): string =>
    `POST /import HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`;

  it("takes no more than the disk does: a fast sender waits", () =>
    withAlone(async (alone) => {
      let release = (): void => undefined;
      const disk = new Promise<void>((resolve) => (release = resolve));
      Object.assign(coreOf(alone), { written: () => disk });
      const line = (n: number): string =>
        `${JSON.stringify({ key: `k${n % 10}`, value: "x".repeat(256 * 1024) })}\n`;
      const length = line(0).length;
      const socket = await open(alone.port, head(200 * length));
      let answer = "";
      socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
      for (let n = 0; n < 200; n += 1) socket.write(line(n));
      const taken = await settled(
        "the sender waits",
        () => socket.bytesWritten - socket.writableLength,
      );
      assert.ok(taken < buffered, `${taken} of ${200 * length} bytes were taken`);
      release();
      await once(socket, "close");
      assert.match(answer, /\{"imported":200,"failed":\[\]\}$/);
    }));

  it("waits for a slow sender, line by line and in the middle of one", () =>
    withAlone(async (alone) => {
      const text = '{"key":"slow/1","value":"ä€"}\r\n\n{"key":"slow/2","value":"2"}';
      const bytes = Buffer.from(text);
      const socket = await open(alone.port, head(bytes.length));
      let answer = "";
      socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
      for (const byte of bytes) {
        socket.write(Uint8Array.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await once(socket, "close");
      assert.match(answer, /\{"imported":2,"failed":\[\]\}$/);
      const value = await alone.node.entry("slow/1");
      assert.equal(Buffer.from(value?.value as Uint8Array).toString(), "ä€");
    }));
});
