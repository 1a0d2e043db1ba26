import assert from "node:assert/strict";
import { DndError } from "@dnd/client";
import { parseKeyPath } from "./key_path.ts";
import { sendRaw, startAlone, type AloneNode } from "../_test_utils.ts";

/** A raw path behind `/kv/`, and the key that it must mean, or the code that it must be refused with. */
type Case = readonly [raw: string, key: string | { readonly code: string }];

const invalid = { code: "invalid-key" } as const;
const tooLarge = { code: "key-too-large" } as const;

const cases: readonly Case[] = [
  // Plain keys.
  ["a", "a"],
  ["user1", "user1"],
  ["A", "A"],
  ["0", "0"],
  ["-1", "-1"],
  ["a.b", "a.b"],
  ["...", "..."],
  ["a/...", "a/..."],
  [".a", ".a"],
  ["..a", "..a"],
  ["a..", "a.."],
  ["__proto__", "__proto__"],
  ["constructor", "constructor"],
  ["toString", "toString"],
  ["~!$'()*,;:@=&+", "~!$'()*,;:@=&+"],
  ['{"a"|^`<>}', '{"a"|^`<>}'],
  ["[x]", "[x]"],
  ["a\\b", "a\\b"],
  ["a#b", "a#b"],
  // Slashes belong to the key, wherever they stand.
  ["a/b", "a/b"],
  ["a/", "a/"],
  ["/a", "/a"],
  ["/", "/"],
  ["//", "//"],
  ["a//b", "a//b"],
  ["a%2Fb", "a/b"],
  ["a%2fb", "a/b"],
  ["%2F", "/"],
  ["a/b/c/d/e/f/", "a/b/c/d/e/f/"],
  // Decoded once, never twice; plus is plus.
  ["%61", "a"],
  ["a%20b", "a b"],
  ["a+b", "a+b"],
  ["%25", "%"],
  ["%2525", "%25"],
  ["%25ff", "%ff"],
  ["%252e", "%2e"],
  ["%252e%252e", "%2e%2e"],
  ["%252F", "%2F"],
  ["a%3Fb", "a?b"],
  ["a%23b", "a#b"],
  ["%00", "\u0000"],
  ["%0A", "\n"],
  ["%0D%0A", "\r\n"],
  ["%7F", "\u007f"],
  ["%22", '"'],
  ["%5C", "\\"],
  // UTF-8.
  ["%C3%A9", "é"],
  ["%c3%a9", "é"],
  ["e%CC%81", "e\u0301"],
  ["%F0%9F%94%91", "🔑"],
  ["%EF%BB%BFa", "\ufeffa"],
  ["%EF%BF%BD", "\ufffd"],
  ["%EF%BF%BF", "\uffff"],
  ["%F4%8F%BF%BF", "\u{10ffff}"],
  ["x".repeat(1024), "x".repeat(1024)],
  ["%F0%9F%94%91".repeat(256), "🔑".repeat(256)],
  ["%78".repeat(1024), "x".repeat(1024)],
  // Nothing.
  ["", invalid],
  // Dot segments, raw and encoded.
  [".", invalid],
  ["..", invalid],
  ["./a", invalid],
  ["../a", invalid],
  ["a/.", invalid],
  ["a/..", invalid],
  ["a/./b", invalid],
  ["a/../b", invalid],
  ["a//../b", invalid],
  ["%2e", invalid],
  ["%2E", invalid],
  ["%2e%2e", invalid],
  [".%2e", invalid],
  ["%2e.", invalid],
  ["a/%2e%2e/b", invalid],
  ["a%2f..%2fb", invalid],
  ["a%2F%2E%2E", invalid],
  ["..%2fa", invalid],
  // What is no percent-encoding.
  ["%", invalid],
  ["a%", invalid],
  ["%2", invalid],
  ["%zz", invalid],
  ["%2g", invalid],
  ["%%", invalid],
  ["%u0041", invalid],
  ["% 20".replace(" ", "x"), invalid],
  ["a%2/b", invalid],
  // What is no UTF-8.
  ["%ff", invalid],
  ["%FE", invalid],
  ["%80", invalid],
  ["%C3", invalid],
  ["%C3x", invalid],
  ["%C3%28", invalid],
  ["%C0%AF", invalid],
  ["%C0%80", invalid],
  ["%E0%80%AF", invalid],
  ["%ED%A0%80", invalid],
  ["%ED%BF%BF", invalid],
  ["%F4%90%80%80", invalid],
  ["%F8%88%80%80%80", invalid],
  ["%F0%9F%94", invalid],
  ["a%A9b", invalid],
  // Too large: bytes count, not characters.
  ["x".repeat(1025), tooLarge],
  ["%C3%A9".repeat(513), tooLarge],
  ["%F0%9F%94%91".repeat(257), tooLarge],
  ["x".repeat(1022) + "%C3%A9x", tooLarge],
];

function outcome(raw: string): string | { readonly code: string } {
  try {
    return parseKeyPath(raw);
  } catch (error) {
    assert.ok(error instanceof DndError);
    return { code: error.code };
  }
}

describe("parseKeyPath()", () => {
  it(`decodes ${cases.length} paths exactly`, () => {
    for (const [raw, expected] of cases) {
      assert.deepEqual(outcome(raw), expected, JSON.stringify(raw.slice(0, 80)));
    }
  });

  it("never means the same key by two paths that differ in more than their encoding", () => {
    const keys = new Map<string, string>();
    for (const [raw, expected] of cases) {
      if (typeof expected !== "string") continue;
      const plain = Buffer.from(
        raw.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        ),
        "latin1",
      ).toString("latin1");
      const before = keys.get(expected);
      assert.ok(before === undefined || before === plain, raw);
      keys.set(expected, plain);
    }
  });
});

for (const fastPath of [true, false]) {
  describe(`keys over a raw socket, ${fastPath ? "before" : "through"} Koa`, () => {
    let alone: AloneNode;
    before(async () => {
      alone = await startAlone({}, { fastPath });
    });
    after(() => alone.node.close());

    it("stores and reads each key as the bytes on the wire say", async () => {
      for (const [raw, expected] of cases) {
        const close = "Host: localhost\r\nConnection: close\r\n";
        const value = JSON.stringify(typeof expected === "string" ? expected : null);
        const body = Buffer.from(value).toString("latin1");
        const put = await sendRaw(
          alone.port,
          `PUT /kv/${raw} HTTP/1.1\r\n${close}Content-Length: ${body.length}\r\n\r\n${body}`,
        );
        const get = await sendRaw(alone.port, `GET /kv/${raw} HTTP/1.1\r\n${close}\r\n`);
        const where = JSON.stringify(raw.slice(0, 80));
        if (typeof expected === "string") {
          assert.equal(put.status, 200, where);
          assert.equal(get.status, 200, where);
          assert.equal(get.body, body, where);
          assert.equal(await alone.node.get(expected), expected, where);
        } else {
          assert.equal(put.status, 400, where);
          const problem = JSON.parse(put.body) as Record<string, unknown>;
          assert.equal(problem["code"], expected.code, where);
          assert.equal(problem["outcome"], "not-applied", where);
          assert.equal(get.status, 400, where);
        }
      }
      const stored = new Set(cases.map(([, key]) => key).filter((key) => typeof key === "string"));
      assert.equal((await alone.node.cluster()).keys, stored.size);
    });

    it("refuses bytes that HTTP does not allow in a target", async () => {
      for (const raw of ["/kv/\u00e9", "/kv/\u00d0\u00ba", "/kv/\u0001", "/kv/\u007f"]) {
        const { status, headers } = await sendRaw(
          alone.port,
          `GET ${raw} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        );
        assert.equal(status, 400, JSON.stringify(raw));
        assert.equal(headers["content-type"], "application/problem+json");
      }
    });
  });
}
