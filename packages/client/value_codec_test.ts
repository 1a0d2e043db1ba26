import assert from "node:assert/strict";
import { DndError } from "./dnd_error.ts";
import { decodeValue, encodeValue, isJsonType, isTextType } from "./value_codec.ts";

describe("encodeValue() and decodeValue()", () => {
  it("know JSON and text types by name, parameters and case aside", () => {
    for (const type of [
      "application/json",
      "Application/JSON; charset=utf-8",
      "text/json",
      "a/b+json",
    ]) {
      assert.ok(isJsonType(type), type);
    }
    for (const type of ["application/jsonl", "text/plain", "json", ""])
      assert.ok(!isJsonType(type));
    for (const type of ["text/plain", "text/csv; charset=UTF-8", 'text/x;charset="utf-8"']) {
      assert.ok(isTextType(type), type);
    }
    for (const type of ["text/plain; charset=latin1", "application/xml", "image/png"]) {
      assert.ok(!isTextType(type), type);
    }
  });

  it("leave text in another charset, and any other type, as bytes", () => {
    const bytes = Uint8Array.from([0xe9]);
    assert.equal(decodeValue(bytes, "text/plain; charset=iso-8859-1"), bytes);
    assert.equal(decodeValue(bytes, "application/xml"), bytes);
    assert.equal(decodeValue(bytes, "text/plain"), "\ufffd");
  });

  it("refuse to call bytes JSON that are none", () => {
    for (const bytes of [[0x7b], [0xff], []]) {
      assert.throws(
        () => decodeValue(Uint8Array.from(bytes), "application/json"),
        (error) => error instanceof DndError && error.code === "invalid-json",
      );
    }
    assert.throws(
      () => encodeValue(Uint8Array.from([0x22, 0xff, 0x22]), "application/json"),
      (error) => error instanceof DndError && error.code === "invalid-json",
    );
  });

  it("refuse an object under a type that is not JSON", () => {
    assert.throws(
      () => encodeValue({}, "text/plain"),
      (error) => error instanceof DndError && error.code === "invalid-argument",
    );
    assert.equal(encodeValue({}, "application/ld+json").contentType, "application/ld+json");
  });

  it("copy the caller's bytes", () => {
    const bytes = Uint8Array.from([1]);
    const encoded = encodeValue(bytes);
    bytes[0] = 2;
    assert.deepEqual(encoded.bytes, Uint8Array.from([1]));
  });
});
