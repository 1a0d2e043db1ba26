import assert from "node:assert/strict";
import { parseHttpDate } from "./conditions.ts";

describe("parseHttpDate()", () => {
  it("reads the three forms of RFC 9110, 5.6.7, whatever the time zone here", () => {
    const ms = Date.UTC(1994, 10, 6, 8, 49, 37);
    for (const text of [
      "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994",
    ]) {
      assert.equal(parseHttpDate(text), ms, text);
    }
  });

  it("takes nothing else for a date: it is as if the field were not there", () => {
    for (const text of [
      undefined,
      "",
      "nonsense",
      "0",
      "1994-11-06T08:49:37Z",
      "Sun, 06 Nov 1994 08:49:37 CET",
      "Sun, 06 Xxx 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 25:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    ]) {
      assert.equal(parseHttpDate(text), undefined, text);
    }
  });
});
