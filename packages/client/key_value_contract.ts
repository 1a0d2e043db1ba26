import assert from "node:assert/strict";
import { batchContract } from "./_batch_contract.ts";
import { listContract } from "./_list_contract.ts";
import { closedContract } from "./_closed_contract.ts";
import { optionsContract } from "./_options_contract.ts";
import { rejectsWith } from "./_rejects_with.ts";
import { watchContract } from "./_watch_contract.ts";
import { versionToEtag, versionToMs } from "./etag.ts";
import type { KeyValue } from "./key_value.ts";

/** What the contract suite works on. */
export interface KeyValueContractSubject {
  /** A ready node, or a client of one: alone in its cluster, with the default limits. */
  readonly keyValue: KeyValue;
  /** Ends it and everything that was started for it; the suite has closed `keyValue` before. */
  close(): Promise<void>;
}

/** Keys that some layer (URL parser, router, object, escape) likes to change on the way. */
const awkwardKeys: readonly string[] = [
  ...[".", "..", "...", "./", "../", "/.", "/..", "a/.", "a/..", "a/./b", "a/../b", "../../kv/x"],
  ...["%", "%2e", "%2E%2E", "%2f", "%00", "%ff", "%25ff", "a%20b", "a+b", "a b", " ", "  a  "],
  ...["/", "//", "a/", "/a", "a//b", "a/b/c", "\\", "a\\b", "\u0000", "\n", "\r\n", "\t", "\u007f"],
  ...["?", "a?b=c", "#", "a#b", "&", "=", ";", ":", "@", "[", "]", "{}", "|", "^", "`", '"', "'"],
  ...["<script>", "~", "!", "$", "(", ")", "*", ","],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "null", "undefined", "0", "-1"],
  ...["Key", "key", "é", "e\u0301", "ключ", "鍵", "🔑", "\ufeff", "\ufffd", "\uffff", "👨‍👩‍👧"],
  ...["x".repeat(1024), "🔑".repeat(256), "é".repeat(512), "/".repeat(1024)],
];

/**
 * The promises of {@link KeyValue} as a mocha suite (`describe`, `it`, `before`, `after` must be
 * global). An embedded node and the HTTP client both run it; so can any other implementation.
 *
 * @param name what is tested, for the report
 * @param open makes the subject once, before the first test
 */
export function keyValueContract(name: string, open: () => Promise<KeyValueContractSubject>): void {
  describe(`KeyValue contract: ${name}`, function () {
    this.timeout(60_000);
    let subject: KeyValueContractSubject;
    const subjectOf = (): KeyValue => subject.keyValue;
    before(async () => {
      subject = await open();
      await subject.keyValue.ready({ timeoutMs: 30_000 });
    });
    after(async () => {
      await subject.keyValue.close();
      await subject.close();
    });
    valueContract(subjectOf);
    keyContract(subjectOf);
    writeContract(subjectOf);
    listContract(subjectOf);
    batchContract(subjectOf);
    watchContract(subjectOf);
    optionsContract(subjectOf);
    closedContract(open);
  });
}

function valueContract(subject: () => KeyValue): void {
  describe("values", () => {
    const cases: readonly (readonly [string, unknown, string])[] = [
      [
        "an object",
        { name: "Jack", tags: ["a", 1, null], nested: { é: true } },
        "application/json",
      ],
      ["null", null, "application/json"],
      ["zero", 0, "application/json"],
      ["false", false, "application/json"],
      ["an empty array", [], "application/json"],
      ["text", "grüße 👋\nline", "text/plain; charset=utf-8"],
      ["an empty string", "", "text/plain; charset=utf-8"],
      ["text with a byte order mark", "\ufeffx", "text/plain; charset=utf-8"],
      ["text that looks like JSON", '{"a":1}', "text/plain; charset=utf-8"],
      ["bytes", Uint8Array.from([0, 255, 254, 128, 10, 13]), "application/octet-stream"],
      ["no bytes", new Uint8Array(0), "application/octet-stream"],
    ];
    for (const [title, value, contentType] of cases) {
      it(`gives back ${title}`, async () => {
        const key = `value/${title}`;
        await subject().put(key, value);
        assert.deepEqual(await subject().get(key), value);
        const entry = await subject().entry(key);
        assert.deepEqual(entry?.value, value);
        assert.equal(entry?.contentType, contentType);
      });
    }

    it("gives back a value of 300 KB", async () => {
      const value = new Uint8Array(300_000).map((_, i) => (i * 31) & 255);
      await subject().put("value/large", value);
      assert.deepEqual(await subject().get("value/large"), value);
      assert.equal((await subject().entry("value/large"))?.size, 300_000);
    });

    it("refuses a value over the limit with value-too-large and stores nothing", async () => {
      const call = subject().put("value/huge", new Uint8Array(1_048_577));
      await rejectsWith(call, "value-too-large", "not-applied");
      assert.equal(await subject().get("value/huge"), undefined);
    });

    it("stores a string and bytes as they are under a given type", async () => {
      await subject().put("value/csv", "a,b", { contentType: "text/csv" });
      assert.equal(await subject().get("value/csv"), "a,b");
      await subject().put("value/json", '{ "a" : 1 }', { contentType: "application/json" });
      assert.deepEqual(await subject().get("value/json"), { a: 1 });
      assert.equal((await subject().entry("value/json"))?.size, 11);
      const png = Uint8Array.from([137, 80, 78, 71]);
      await subject().put("value/png", png, { contentType: "image/png" });
      const entry = await subject().entry("value/png");
      assert.deepEqual(entry?.value, png);
      assert.equal(entry?.contentType, "image/png");
    });

    it("reads JSON that is a string, and JSON with spaces, under any key", async () => {
      for (const key of ["value/quoted", "value/../quoted", "./quoted"]) {
        for (const text of ['"text"', '"7"', '{ "a" : "x" }', " null "]) {
          await subject().put(key, text, { contentType: "application/json" });
          const entry = await subject().entry(key);
          assert.deepEqual(entry?.value, JSON.parse(text));
          assert.deepEqual(await subject().get(key), JSON.parse(text));
          assert.equal(entry?.size, text.length);
        }
        await subject().put(key, new Date(0));
        assert.equal(await subject().get(key), "1970-01-01T00:00:00.000Z");
        assert.equal((await subject().entry(key))?.size, 26);
      }
    });

    it("refuses JSON in another charset than UTF-8", async () => {
      for (const [type, code] of [
        ["application/json; charset=utf-16", "unsupported-media-type"],
        ['text/json;charset="latin1"', "unsupported-media-type"],
      ] as const) {
        for (const value of ["1", Uint8Array.from([49]), 1]) {
          const call = subject().put("value/charset", value, { contentType: type });
          assert.equal((await rejectsWith(call, code, "not-applied")).status, 415);
          const put = { op: "put" as const, key: "value/charset", value, contentType: type };
          assert.equal((await subject().batch([put]))[0]?.error?.code, code);
        }
      }
      assert.equal(await subject().has("value/charset"), false);
      for (const charset of ["utf-8", "UTF8", '"utf-8"']) {
        const contentType = `application/json; charset=${charset}`;
        await subject().put("value/charset", { n: 1 }, { contentType });
        assert.deepEqual(await subject().get("value/charset"), { n: 1 });
      }
    });

    it("refuses what is not JSON under a JSON type and stores nothing", async () => {
      const call = subject().put("value/bad", "{oops", { contentType: "application/json" });
      await rejectsWith(call, "invalid-json", "not-applied");
      assert.equal(await subject().has("value/bad"), false);
    });

    it("refuses what JSON cannot express", async () => {
      const cyclic: Record<string, unknown> = {};
      cyclic["self"] = cyclic;
      for (const value of [undefined, () => 1, Symbol("s"), 1n, NaN, -Infinity, cyclic]) {
        await rejectsWith(subject().put("value/none", value), "invalid-argument", "not-applied");
      }
    });

    it("refuses what JSON would lose without a word, and says where it is", async () => {
      const holes: unknown[] = [1];
      holes[2] = 1;
      const cyclic: Record<string, unknown> = { list: [{}] };
      (cyclic["list"] as Record<string, unknown>[])[0] = { up: cyclic };
      const cases: readonly (readonly [unknown, string, string])[] = [
        [{ a: NaN }, "NaN", " at a"],
        [{ a: { b: [0, Infinity] } }, "Infinity", " at a.b[1]"],
        [[[-Infinity]], "-Infinity", " at [0][0]"],
        [{ "a b": NaN }, "NaN", ' at ["a b"]'],
        [{ a: [1, undefined] }, "undefined", " at a[1]"],
        [holes, "undefined", " at [1]"],
        [[() => 1], "function", " at [0]"],
        [[Symbol("s")], "symbol", " at [0]"],
        [{ a: { b: 1n } }, "BigInt", " at a.b"],
        [cyclic, "a cycle", " at list[0].up"],
        [{ when: new Date(NaN) }, "an invalid Date", " at when"],
        [new Map([["a", 1]]), "a Map", ""],
        [{ tags: new Set(["a"]) }, "a Set", " at tags"],
        [Promise.resolve(1), "a Promise", ""],
        [{ raw: Uint8Array.from([1, 2]) }, "a Uint8Array", " at raw"],
        [new ArrayBuffer(2), "an ArrayBuffer", ""],
        [Float64Array.from([1]), "a Float64Array", ""],
      ];
      for (const [value, what, where] of cases) {
        const call = subject().put("value/lossy", value);
        const { message } = await rejectsWith(call, "invalid-argument", "not-applied");
        assert.ok(message.includes(`${what}${where}`), message);
        const batch = await subject().batch([{ op: "put", key: "value/lossy", value }]);
        assert.equal(batch[0]?.status, 400, message);
        assert.equal(batch[0]?.error?.message, message);
      }
      assert.equal(await subject().has("value/lossy"), false);
    });

    it("refuses text that UTF-8 cannot express, and keeps all other text", async () => {
      const { put, batch } = {
        put: (value: string, contentType?: string) =>
          subject().put("value/unpaired", value, contentType === undefined ? {} : { contentType }),
        batch: (value: string) => subject().batch([{ op: "put", key: "value/unpaired", value }]),
      };
      for (const value of ["\ud83d", "a\udd11", "\udd11\ud83d", "é\ud83d b"]) {
        await rejectsWith(put(value), "invalid-argument", "not-applied");
        await rejectsWith(put(value, "text/html"), "invalid-argument", "not-applied");
        const json = put(`"${value}"`, "application/json");
        await rejectsWith(json, "invalid-argument", "not-applied");
        assert.equal((await batch(value))[0]?.status, 400);
      }
      assert.equal(await subject().has("value/unpaired"), false);
      for (const value of ["", "🔑", "a🔑é\ufffd\ufeff\u0000", "\ufeff"]) {
        await put(value);
        assert.equal(await subject().get("value/unpaired"), value);
      }
    });

    it("stores what JSON keeps, nulls and empty objects too, and leaves out what has no value", async () => {
      const value = { a: null, b: {}, c: [null, {}], d: "null", e: { 0: "x" }, f: new Date(0) };
      await subject().put("value/nulls", value);
      assert.deepEqual(await subject().get("value/nulls"), { ...value, f: value.f.toJSON() });
      const own = { toJSON: () => null };
      await subject().put("value/nulls", { a: undefined, b: () => 1, c: Symbol("s"), own, d: 1 });
      assert.deepEqual(await subject().get("value/nulls"), { own: null, d: 1 });
      let deep: unknown = null;
      for (let depth = 0; depth < 1000; depth += 1) deep = { deep };
      await subject().put("value/nulls", deep);
      assert.deepEqual(await subject().get("value/nulls"), deep);
    });

    it("does not share memory with the caller", async () => {
      const value = Uint8Array.from([1, 2, 3]);
      await subject().put("value/shared", value);
      value.fill(9);
      const first = await subject().get<Uint8Array>("value/shared");
      assert.deepEqual(first, Uint8Array.from([1, 2, 3]));
      first?.fill(8);
      assert.deepEqual(await subject().get("value/shared"), Uint8Array.from([1, 2, 3]));
    });

    it("says undefined for what is not there", async () => {
      assert.equal(await subject().get("value/absent"), undefined);
      assert.equal(await subject().entry("value/absent"), undefined);
      assert.equal(await subject().has("value/absent"), false);
    });
  });
}

function keyContract(subject: () => KeyValue): void {
  describe("keys", () => {
    it("keeps every awkward key apart, through put, get, has, entry and delete", async () => {
      for (const key of awkwardKeys) await subject().put(key, { key });
      for (const key of awkwardKeys) {
        assert.deepEqual(await subject().get(key), { key }, JSON.stringify(key));
        assert.equal((await subject().entry(key))?.key, key);
      }
      for (const key of awkwardKeys) {
        assert.equal((await subject().delete(key)).existed, true, JSON.stringify(key));
        assert.equal(await subject().has(key), false, JSON.stringify(key));
      }
    });

    it("refuses an empty key, a lone surrogate and more than 1,024 bytes", async () => {
      for (const key of ["", "\ud800", "a\udc00b", "\udc00\ud800"]) {
        await rejectsWith(subject().put(key, 1), "invalid-key", "not-applied");
        await rejectsWith(subject().get(key), "invalid-key");
        await rejectsWith(subject().delete(key), "invalid-key", "not-applied");
      }
      for (const key of ["x".repeat(1025), "é".repeat(513), "🔑".repeat(257)]) {
        await rejectsWith(subject().put(key, 1), "key-too-large", "not-applied");
        await rejectsWith(subject().entry(key), "key-too-large");
        await rejectsWith(subject().has(key), "key-too-large");
      }
    });
  });
}

function writeContract(subject: () => KeyValue): void {
  describe("writes", () => {
    it("answers with a receipt whose version is that of the entry", async () => {
      const receipt = await subject().put("write/receipt", 1);
      const entry = await subject().entry("write/receipt");
      assert.deepEqual(entry?.version, receipt.version);
      assert.equal(entry?.etag, receipt.etag);
      assert.equal(receipt.etag, versionToEtag(receipt.version));
      assert.equal(entry?.modifiedAt, versionToMs(receipt.version));
      assert.ok(Math.abs(versionToMs(receipt.version) - Date.now()) < 60_000);
      assert.ok(receipt.acked >= 1 && receipt.needed === 1 && receipt.members >= 1);
      assert.equal(receipt.superseded, false);
    });

    it("gives each write a later version", async () => {
      let last = 0;
      for (let i = 0; i < 20; i += 1) {
        const { version } = await subject().put("write/later", i);
        assert.ok(version.time > last);
        last = version.time;
      }
      assert.equal(await subject().get("write/later"), 19);
    });

    it("says of a delete whether there was something", async () => {
      await subject().put("write/delete", 1);
      const first = await subject().delete("write/delete");
      assert.equal(first.existed, true);
      assert.equal(await subject().get("write/delete"), undefined);
      const second = await subject().delete("write/delete");
      assert.equal(second.existed, false);
      assert.ok(second.version.time > first.version.time);
    });

    it("expires a key after its time to live", async () => {
      const before = Date.now();
      await subject().put("write/ttl", 1, { ttlMs: 3_600_000 });
      const entry = await subject().entry("write/ttl");
      assert.ok(entry?.expiresAt !== undefined);
      assert.ok(Math.abs(entry.expiresAt - before - 3_600_000) < 10_000);
      await subject().put("write/ttl", 1);
      assert.equal((await subject().entry("write/ttl"))?.expiresAt, undefined);
      await subject().put("write/short", 1, { ttlMs: 60 });
      const deadline = Date.now() + 10_000;
      while (await subject().has("write/short")) assert.ok(Date.now() < deadline, "never expired");
    });

    it("touches: a new time to live, the same value", async () => {
      const { version } = await subject().put("write/touch", "kept");
      const touched = await subject().touch("write/touch", { ttlMs: 600_000 });
      assert.ok(touched !== undefined && touched.time > version.time);
      const entry = await subject().entry("write/touch");
      assert.equal(entry?.value, "kept");
      assert.ok(Math.abs((entry?.expiresAt ?? 0) - Date.now() - 600_000) < 10_000);
      await subject().touch("write/touch");
      assert.equal((await subject().entry("write/touch"))?.expiresAt, undefined);
      assert.equal(await subject().touch("write/absent", { ttlMs: 1000 }), undefined);
    });

    it("writes only if the condition holds here", async () => {
      const { etag } = await subject().put("write/if", 1, { ifNoneMatch: "*" });
      const again = subject().put("write/if", 2, { ifNoneMatch: "*" });
      await rejectsWith(again, "precondition-failed", "not-applied");
      const next = await subject().put("write/if", 3, { ifMatch: etag });
      const stale = subject().put("write/if", 4, { ifMatch: etag });
      assert.equal((await rejectsWith(stale, "precondition-failed", "not-applied")).status, 412);
      await rejectsWith(subject().delete("write/if", { ifMatch: etag }), "precondition-failed");
      assert.equal(await subject().get("write/if"), 3);
      await subject().delete("write/if", { ifMatch: next.etag });
      const gone = subject().put("write/if", 5, { ifMatch: "*" });
      await rejectsWith(gone, "precondition-failed", "not-applied");
    });

    it("refuses absurd options and stores nothing", async () => {
      for (const ttlMs of [0, -1, NaN, Infinity, 0.5]) {
        const call = subject().put("write/absurd", 1, { ttlMs });
        await rejectsWith(call, "invalid-argument", "not-applied");
      }
      for (const w of [0, -1, 1.5, NaN, 99]) {
        const call = subject().put("write/absurd", 1, { w });
        await rejectsWith(call, "invalid-argument", "not-applied");
      }
      for (const contentType of ["", "x".repeat(256), "a\nb", "grüße/x"]) {
        const call = subject().put("write/absurd", "1", { contentType });
        await rejectsWith(call, "invalid-argument", "not-applied");
      }
      assert.equal(await subject().has("write/absurd"), false);
    });

    it("refuses conditions that are no entity tags", async () => {
      await subject().put("write/tags", 1);
      for (const tag of [
        "",
        " ",
        "x",
        "1-a",
        '"a',
        'x"y"',
        '"a" "b"',
        "a\nb",
        '"a\nb"',
        "ä",
        '"鍵"x',
      ]) {
        for (const options of [{ ifMatch: tag }, { ifNoneMatch: tag }]) {
          const title = JSON.stringify(options);
          for (const call of [
            subject().put("write/tags", 2, options),
            subject().delete("write/tags", options),
          ]) {
            const error = await rejectsWith(call, "invalid-argument", "not-applied");
            assert.match(error.message, /if(None)?Match/, title);
          }
        }
      }
      assert.equal(await subject().get("write/tags"), 1);
    });

    it("follows a write to the members that were asked for", async () => {
      const receipt = await subject().put("write/w", 1, { w: "all" });
      assert.equal(receipt.acked, receipt.needed);
      const { acked, needed } = await receipt.replicated("quorum", { timeoutMs: 5_000 });
      assert.ok(acked >= needed && needed >= 1);
      await rejectsWith(receipt.replicated(99, { timeoutMs: 2_000 }), "invalid-argument");
    });

    it("rejects with the reason of a signal that has fired, and writes nothing", async () => {
      const reason = new Error("stop here");
      const signal = AbortSignal.abort(reason);
      await assert.rejects(subject().put("write/abort", 1, { signal }), reason);
      await assert.rejects(subject().get("write/abort", { signal }), reason);
      await assert.rejects(subject().entry("write/abort", { signal }), reason);
      await assert.rejects(subject().has("write/abort", { signal }), reason);
      await assert.rejects(subject().delete("write/abort", { signal }), reason);
      await assert.rejects(subject().touch("write/abort", { signal }), reason);
      await assert.rejects(subject().deletePrefix("write/abort", { signal }), reason);
      await assert.rejects(subject().list({ signal }), reason);
      await assert.rejects(subject().entries({ signal }).next(), reason);
      await assert.rejects(subject().batch([], { signal }), reason);
      await assert.rejects(
        subject().batch([{ op: "put", key: "write/abort", value: 1 }], { signal }),
        reason,
      );
      await assert.rejects(subject().ready({ signal }), reason);
      const receipt = await subject().put("write/aborted", 1);
      await assert.rejects(receipt.replicated("one", { signal }), reason);
      assert.equal(await subject().has("write/abort"), false);
    });

    it("deletes by prefix", async () => {
      for (const n of [1, 2, 3]) await subject().put(`write/many/${n}`, n);
      await subject().put("write/man", 0);
      assert.equal(await subject().deletePrefix("write/many/"), 3);
      assert.equal(await subject().deletePrefix("write/many/"), 0);
      assert.equal(await subject().get("write/man"), 0);
      await rejectsWith(subject().deletePrefix(""), "invalid-argument", "not-applied");
    });
  });
}
