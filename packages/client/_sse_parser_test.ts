import assert from "node:assert/strict";
import { SseLimitError, SseParser, type ServerSentEvent } from "./_sse_parser.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function parse(text: string, cuts: readonly number[] = []): ServerSentEvent[] {
  const parser = new SseParser(1000);
  const bytes = encode(text);
  const events: ServerSentEvent[] = [];
  let start = 0;
  for (const cut of [...cuts, bytes.length]) {
    events.push(...parser.push(bytes.subarray(start, cut)));
    start = cut;
  }
  return events;
}

describe("SseParser", () => {
  it("reads type, data, id, comments and unknown fields as the HTML Standard says", () => {
    const text =
      ": hello\nretry: 20\n\nevent: put\nid: 7\ndata: a\ndata:b\ndata\ndata:  c\nnope: 1\n\n" +
      "data: x\n\nid\ndata: y\n\nevent: none\n\ndata: unfinished\n";
    assert.deepEqual(parse(text), [
      { type: "put", data: "a\nb\n\n c", id: "7" },
      { type: "message", data: "x", id: "7" },
      { type: "message", data: "y", id: "" },
    ]);
  });

  it("gives the same events wherever the bytes are cut, whatever the line ends", () => {
    const lines = [
      "\ufeffevent: put",
      "id: ü1",
      'data: {"key":"🔑"}',
      "",
      ": c",
      "",
      "data: 2",
      "",
      "",
    ];
    const expected = [
      { type: "put", data: '{"key":"🔑"}', id: "ü1" },
      { type: "message", data: "2", id: "ü1" },
    ];
    for (const end of ["\n", "\r", "\r\n"]) {
      const text = lines.join(end);
      const { length } = encode(text);
      for (let a = 0; a <= length; a += 1) {
        assert.deepEqual(parse(text, [a]), expected);
        for (let b = a; b <= length; b += 7) assert.deepEqual(parse(text, [a, b]), expected);
      }
      const each = Array.from({ length }, (_, i) => i);
      assert.deepEqual(parse(text, each), expected);
    }
  });

  it("notes the id and the retry time of a block without data", () => {
    const parser = new SseParser(1000);
    assert.deepEqual(parser.push(encode(": hi\nid: a.1.5\nretry: 250\n\n")), []);
    assert.equal(parser.lastEventId, "a.1.5");
    assert.equal(parser.retryMs, 250);
    parser.push(encode("id: b\0\nretry: soon\nretry: 99999999999\n\n"));
    assert.equal(parser.lastEventId, "a.1.5");
    assert.equal(parser.retryMs, 250);
  });

  it("holds no more than its limit, in one line or in many", () => {
    const oneLine = new SseParser(100);
    assert.throws(() => oneLine.push(encode(`data: ${"x".repeat(100)}`)), SseLimitError);
    const dripped = new SseParser(100);
    assert.throws(() => {
      for (let i = 0; i < 200; i += 1) dripped.push(encode("x"));
    }, SseLimitError);
    const many = new SseParser(100);
    assert.throws(() => {
      for (let i = 0; i < 50; i += 1) many.push(encode("data: 12345\n"));
    }, SseLimitError);
    const enough = new SseParser(100);
    for (let i = 0; i < 50; i += 1) {
      assert.equal(enough.push(encode(`data: ${"x".repeat(80)}\n\n`)).length, 1);
    }
  });
});
