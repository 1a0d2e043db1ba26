import assert from "node:assert/strict";
import { checkKey } from "./check_key.ts";
import { DndError } from "./dnd_error.ts";
import { hasDotSegment, keyPath } from "./_key_path.ts";

const codeOf = (key: unknown): string => {
  try {
    checkKey(key as string);
    return "ok";
  } catch (error) {
    return error instanceof DndError ? error.code : "another error";
  }
};

describe("checkKey()", () => {
  it("counts bytes of UTF-8, not characters", () => {
    assert.equal(codeOf("x".repeat(1024)), "ok");
    assert.equal(codeOf("x".repeat(1025)), "key-too-large");
    assert.equal(codeOf("鍵".repeat(341) + "x"), "ok");
    assert.equal(codeOf("鍵".repeat(342)), "key-too-large");
    assert.equal(codeOf("🔑".repeat(256)), "ok");
    assert.equal(codeOf("🔑".repeat(256) + "x"), "key-too-large");
    assert.equal(codeOf("x".repeat(10_000_000)), "key-too-large");
  });

  it("says a size that is true", () => {
    const sizes = [
      ["x".repeat(1025), / 1025 or more bytes/],
      ["鍵".repeat(342), / 1026 bytes/],
    ] as const;
    for (const [key, message] of sizes) assert.throws(() => checkKey(key), message);
  });

  it("refuses what is no text", () => {
    for (const key of ["", undefined, null, 1, "\ud83d", "\udd11\ud83d", "a\ud83d b"]) {
      assert.equal(codeOf(key), "invalid-key");
    }
  });
});

describe("keyPath()", () => {
  it("survives a URL parser, whatever the key", () => {
    const keys = [
      "a b",
      "a/b",
      "/",
      "//a//",
      "%2e%2e",
      "a\\b",
      "?#&=+",
      "é🔑",
      "\u0000\n",
      "a.b/..c",
    ];
    for (const key of keys) {
      const { pathname } = new URL(`http://x/kv/${keyPath(key)}`);
      assert.equal(decodeURIComponent(pathname.slice(4)), key);
    }
  });

  it("names the keys that cannot: those with dot segments", () => {
    for (const key of [".", "..", "a/.", "./a", "a/../b", "../"]) {
      assert.ok(hasDotSegment(key), key);
      assert.notEqual(
        decodeURIComponent(new URL(`http://x/kv/${keyPath(key)}`).pathname),
        `/kv/${key}`,
      );
    }
    for (const key of ["...", ".a", "a.", "a/..b", "%2e", "a/.b/c"])
      assert.ok(!hasDotSegment(key), key);
  });
});
