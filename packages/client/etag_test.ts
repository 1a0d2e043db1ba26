import assert from "node:assert/strict";
import { etagToVersion, versionToEtag, versionToMs } from "./etag.ts";

describe("entity tags", () => {
  it("go to a version and back", () => {
    const version = { time: 2 ** 53 - 1, node: "0123456789abcdef0123456789abcdef" };
    assert.equal(versionToEtag(version), '"9007199254740991-0123456789abcdef0123456789abcdef"');
    assert.deepEqual(etagToVersion(versionToEtag(version)), version);
    assert.deepEqual(etagToVersion("1-a"), { time: 1, node: "a" });
  });

  it("are no version otherwise", () => {
    for (const text of [
      "",
      '"1-a',
      '1-a"',
      'W/"1-a"',
      "1-A",
      "-a",
      "1-",
      "a-1",
      "9007199254740993-a",
    ]) {
      assert.equal(etagToVersion(text), undefined, text);
    }
    assert.equal(etagToVersion(`1-${"a".repeat(33)}`), undefined);
  });

  it("hold the time of the write", () => {
    const ms = Date.UTC(2030, 5, 1, 12);
    const time = (ms - Date.UTC(2026, 0, 1)) * 4096 + 17;
    assert.equal(versionToMs({ time, node: "a" }), ms);
  });
});
