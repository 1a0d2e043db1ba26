import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { sendRaw } from "../_test_utils.ts";
import { FrameOutput, WatchPacket } from "./watch_frames.ts";

/** Serves one answer of some packets, and gives back what a client reads. */
async function readBy(
  version: string,
  write: (response: ServerResponse) => void,
): Promise<{ readonly head: string; readonly body: string }> {
  const server = createServer((_, response) => {
    response.writeHead(200, ["Content-Type", "text/event-stream"]);
    write(response);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const ask = `GET / HTTP/${version}\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    const { raw } = await sendRaw(port, ask);
    const end = raw.indexOf("\r\n\r\n");
    return { head: raw.slice(0, end), body: raw.slice(end + 4) };
  } finally {
    server.close();
  }
}

function unchunk(body: string): string {
  let text = "";
  for (let at = 0; ;) {
    const end = body.indexOf("\r\n", at);
    const length = parseInt(body.slice(at, end), 16);
    assert.ok(length >= 0, body.slice(at, at + 40));
    if (length === 0) return text;
    text += body.slice(end + 2, end + 2 + length);
    assert.equal(body.slice(end + 2 + length, end + 4 + length), "\r\n");
    at = end + 4 + length;
  }
}

describe("WatchPacket", () => {
  const large = Buffer.from("L".repeat(20_000));
  const packet = (): WatchPacket => {
    const output = new FrameOutput();
    output.addText("é1");
    output.addText("2");
    output.addBytes(large);
    output.addText("3");
    output.addBytes(large);
    return output.packet;
  };
  const whole = Buffer.from(`é12${large.toString()}3${large.toString()}`).toString("latin1");
  const small = (): WatchPacket => new WatchPacket(["small"]);

  it("is one chunk of HTTP/1.1, among what is written by response.write()", async () => {
    const shared = packet();
    for (let n = 0; n < 2; n += 1) {
      const { head, body } = await readBy("1.1", (response) => {
        response.write("before");
        shared.writeTo(response);
        small().writeTo(response);
        new FrameOutput().packet.writeTo(response);
        response.write("behind");
      });
      assert.match(head, /Transfer-Encoding: chunked/);
      assert.equal(unchunk(body), `before${whole}smallbehind`);
      assert.equal(body.match(/\r\n9c45\r\n/)?.length, 1);
    }
  });

  it("is plain bytes for HTTP/1.0", async () => {
    const { head, body } = await readBy("1.0", (response) => {
      packet().writeTo(response);
      small().writeTo(response);
    });
    assert.doesNotMatch(head, /chunked/);
    assert.equal(body, `${whole}small`);
  });

  it("goes through whoever wraps the answer", async () => {
    const seen: string[] = [];
    const { body } = await readBy("1.1", (response) => {
      const write = response.write.bind(response);
      response.write = (chunk: Buffer): boolean => {
        seen.push(chunk.toString());
        return write(chunk);
      };
      small().writeTo(response);
    });
    assert.deepEqual(seen, ["small"]);
    assert.equal(unchunk(body), "small");
  });
});
