import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { deadPort, FakeNode, sendProblem } from "./_test_utils.ts";
import { rejectsWith } from "./_rejects_with.ts";
import { type Client, createClient } from "./create_client.ts";

const etag = '"1-a"';
const put = (n: number): string =>
  `event: put\nid: a.1.${n}\ndata: ${JSON.stringify({ key: `k${n}`, etag, contentType: "text/plain", size: 1 })}\n\n`;

describe("Client.watch()", function () {
  this.timeout(60_000);
  let a: FakeNode;
  let b: FakeNode;
  let dnd: Client;
  beforeEach(async () => {
    [a, b] = [new FakeNode(), new FakeNode()];
    await Promise.all([a.start(), b.start()]);
    dnd = createClient({ urls: [a.url, b.url] });
  });
  afterEach(async () => {
    await dnd.close();
    await Promise.all([a.stop(), b.stop()]);
  });

  /** Answers a watch with a stream that the test writes. */
  function stream(node: FakeNode, script: (response: ServerResponse, n: number) => void): void {
    let n = 0;
    node.intercept = (request, response) => {
      if (request.url?.startsWith("/watch") !== true) return false;
      response.writeHead(200, { "content-type": "text/event-stream" });
      script(response, n);
      n += 1;
      return true;
    };
  }

  it("resumes on the same node with Last-Event-ID when the connection is cut", async () => {
    const watch = dnd.watch({ prefix: "k" });
    await watch.opened;
    await dnd.put("k1", 1);
    assert.equal((await watch.next()).value?.type, "put");
    a.cut();
    await dnd.put("k2", 2);
    await dnd.delete("k1");
    const second = (await watch.next()).value;
    assert.ok(second?.type === "put" && second.key === "k2");
    const third = (await watch.next()).value;
    assert.ok(third?.type === "delete" && third.key === "k1");
    const watches = a.heads.filter((head) => head.url?.startsWith("/watch"));
    assert.equal(watches.length, 2);
    assert.equal(watches[0]?.headers["last-event-id"], undefined);
    assert.equal(watches[1]?.headers["last-event-id"], "a.1.1");
    assert.equal(watches[1]?.headers.accept, "text/event-stream");
    await watch.close();
  });

  it("goes to another node when its own is gone, which says reset", async () => {
    stream(a, (response) => response.write(put(7)));
    stream(b, (response) =>
      response.write(`event: reset\nid: b.1.3\ndata: {"reason":"another node"}\n\n${put(8)}`),
    );
    const watch = dnd.watch();
    assert.equal((await watch.next()).value?.id, "a.1.7");
    await a.stop();
    assert.deepEqual((await watch.next()).value, {
      type: "reset",
      id: "b.1.3",
      reason: "another node",
    });
    assert.equal(watch.lastEventId, "b.1.3");
    assert.equal((await watch.next()).value?.type, "put");
    assert.equal(b.heads[0]?.headers["last-event-id"], "a.1.7");
    await a.start();
  });

  it("says reset itself when the connection broke before the first id", async () => {
    stream(a, (response, n) => {
      if (n === 0) response.end(": hi\nretry: 10\n\n");
      else response.write(`: hi\nretry: 10\n\n${put(1)}`);
    });
    const watch = dnd.watch();
    const first = (await watch.next()).value;
    assert.ok(first?.type === "reset" && first.id === undefined);
    assert.equal((await watch.next()).value?.type, "put");
  });

  it("takes the id that the node gives before any event", async () => {
    stream(a, (response, n) => {
      if (n === 0) response.end("id: a.1.4\nretry: 10\n\n");
      else response.write(put(5));
    });
    const watch = dnd.watch();
    assert.equal((await watch.next()).value?.type, "put");
    assert.equal(a.heads[1]?.headers["last-event-id"], "a.1.4");
  });

  it("ignores events that it has no name for", async () => {
    stream(a, (response) => response.write(`event: merge\ndata: {}\n\n${put(1)}`));
    assert.equal((await dnd.watch().next()).value?.type, "put");
  });

  it("tries every node before it gives up opening, and then says why", async () => {
    const dead = `http://127.0.0.1:${await deadPort()}`;
    const lucky = createClient({ urls: [dead, b.url] });
    await lucky.watch().opened;
    await lucky.close();
    const watch = createClient({ urls: [dead] }).watch();
    await rejectsWith(watch.opened, "unreachable");
    await rejectsWith(watch.next(), "unreachable");
    assert.equal((await watch.next()).done, true);
  });

  it("rejects at once where another try cannot help", async () => {
    a.intercept = (_, response) => sendProblem(response, 401, "unauthorized") === undefined;
    const watch = dnd.watch();
    await rejectsWith(watch.next(), "unauthorized");
    await rejectsWith(watch.opened, "unauthorized");
    a.intercept = (_, response) => response.writeHead(200).end("hello") !== undefined;
    await rejectsWith(dnd.watch().next(), "invalid-response");
    assert.equal(b.requests.length, 0);
  });

  it("rejects when a resumed watch is refused for good", async () => {
    stream(a, (response) => response.end(`retry: 10\n${put(1)}`));
    const watch = dnd.watch();
    await watch.next();
    a.intercept = (_, response) => sendProblem(response, 403, "forbidden") === undefined;
    await rejectsWith(watch.next(), "forbidden");
    assert.equal((await watch.next()).done, true);
  });

  it("rejects on events that no node sends, and lets the connection go", async () => {
    for (const event of [
      "event: put\ndata: {\n\n",
      "event: put\ndata: 1\n\n",
      "event: put\ndata: {}\n\n",
    ]) {
      stream(a, (response) => response.write(event));
      const watch = dnd.watch();
      await rejectsWith(watch.next(), "invalid-response");
      assert.equal((await watch.next()).done, true);
    }
  });

  it("takes the largest value that there is, in the longest way to write it", async () => {
    const value = "\u0001".repeat(16 * 1024 * 1024);
    const item = { key: "k", etag: '"1-a"', contentType: "text/plain", size: value.length };
    const data = JSON.stringify({ ...item, modified: new Date(0), encoding: "utf8", value });
    stream(a, (response) => response.write(`event: put\nid: a.1.1\ndata: ${data}\n\n`));
    await using watch = dnd.watch({ values: true });
    const { value: change } = await watch.next();
    assert.ok(change?.type === "put" && change.value === value);
  });

  it("gives each of several waiting calls a change of its own, in order", async () => {
    const watch = dnd.watch();
    await watch.opened;
    const waiting = [watch.next(), watch.next(), watch.next()];
    for (const n of [1, 2, 3]) await dnd.put(`k${n}`, n);
    const changes = await Promise.all(waiting);
    assert.deepEqual(
      changes.map(({ value }) => (value?.type === "put" ? value.key : value)),
      ["k1", "k2", "k3"],
    );
  });

  it("ends when the client closes", async () => {
    const watch = dnd.watch();
    await watch.opened;
    const waiting = watch.next();
    await dnd.close();
    assert.equal((await waiting).done, true);
  });

  it("ends while it is connecting, and with a signal that has fired", async () => {
    a.intercept = () => true;
    const watch = dnd.watch();
    const waiting = watch.next();
    await watch.close();
    assert.equal((await waiting).done, true);
    await rejectsWith(watch.opened, "closed");
    const other = createClient({ urls: [a.url] });
    const connecting = other.watch().next();
    await other.close();
    assert.equal((await connecting).done, true);
    const late = dnd.watch({ signal: AbortSignal.abort() });
    assert.equal((await late.next()).done, true);
  });

  it("reads no faster than its reader: the connection fills up instead", async () => {
    const event = put(1).replace("\n\n", `\n: ${"x".repeat(16_384)}\n\n`);
    let written = 0;
    let full = false;
    stream(a, (response) => {
      const write = (): void => {
        while (response.write(event)) written += 1;
        written += 1;
        full = true;
        response.once("drain", () => {
          full = false;
          if (written < 20_000) write();
        });
      };
      write();
    });
    const watch = dnd.watch();
    await watch.next();
    // Nobody reads. The node stops being able to write: sockets and stream hold a few MiB at most.
    let still = 0;
    for (let last = -1; still < 20;) {
      await dnd.health();
      still = written === last && full ? still + 1 : 0;
      last = written;
    }
    assert.ok(written * event.length < 64 * 1024 * 1024, `${written} events went out`);
    await watch.close();
  });
});
