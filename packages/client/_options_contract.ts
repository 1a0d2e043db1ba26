import assert from "node:assert/strict";
import { rejectsWith } from "./_rejects_with.ts";
import type { DndError } from "./dnd_error.ts";
import type { KeyValue } from "./key_value.ts";

/** Options that are wrong: what is given, and what the message must name. */
type Wrong = readonly [options: unknown, ...named: string[]];

const wrongCalls: readonly Wrong[] = [
  [{ ttl: 5 }, "ttl", "5"],
  [{ Signal: undefined }, "Signal", "undefined"],
  [{ ["__proto__x"]: 1 }, "__proto__x", "1"],
  [{ signal: {} }, "signal", "object"],
  [{ signal: "stop" }, "signal", '"stop"'],
  [{ signal: null }, "signal", "null"],
  [{ timeoutMs: -1 }, "timeoutMs", "-1"],
  [{ timeoutMs: 0 }, "timeoutMs", "0"],
  [{ timeoutMs: NaN }, "timeoutMs", "NaN"],
  [{ timeoutMs: Infinity }, "timeoutMs", "Infinity"],
  [{ timeoutMs: "5" }, "timeoutMs", '"5"'],
  [{ timeoutMs: 5n }, "timeoutMs", "5"],
  [{ timeoutMs: null }, "timeoutMs", "null"],
  [null, "options", "null"],
  [5, "options", "5"],
  ["x", "options", '"x"'],
  [[], "options", "array"],
  [() => 1, "options", "function"],
];

const wrongWrites: readonly Wrong[] = [
  ...wrongCalls,
  [{ w: "two" }, "w", '"two"'],
  [{ w: "1" }, "w", '"1"'],
  [{ w: 0 }, "w", "0"],
  [{ w: 1.5 }, "w", "1.5"],
  [{ w: null }, "w", "null"],
  [{ ifMatch: 5 }, "ifMatch", "5"],
  [{ ifNoneMatch: true }, "ifNoneMatch", "true"],
  [{ IfMatch: "*" }, "IfMatch", '"*"'],
];

const wrongTtls: readonly Wrong[] = [
  [{ ttlMs: "5" }, "ttlMs", '"5"'],
  [{ ttlMs: -1 }, "ttlMs", "-1"],
  [{ ttlMs: 0.5 }, "ttlMs", "0.5"],
  [{ ttlMs: NaN }, "ttlMs", "NaN"],
  [{ ttlMs: Infinity }, "ttlMs", "Infinity"],
  [{ ttlMs: null }, "ttlMs", "null"],
  [{ ttlMs: 2 ** 52 }, "ttlMs", "4503599627370496"],
  [{ ttlms: 5 }, "ttlms", "5"],
];

const wrongLists: readonly Wrong[] = [
  ...wrongCalls,
  [{ prefix: 5 }, "prefix", "5"],
  [{ limit: 0 }, "limit", "0"],
  [{ limit: 1001 }, "limit", "1001"],
  [{ limit: "5" }, "limit", '"5"'],
  [{ cursor: 5 }, "cursor", "5"],
  [{ values: "true" }, "values", '"true"'],
  [{ after: "x" }, "after", '"x"'],
];

const wrongWatches: readonly Wrong[] = [
  [{ prefix: 5 }, "prefix", "5"],
  [{ key: 5 }, "key", "5"],
  [{ key: "a", values: 1 }, "values", "1"],
  [{ after: 5 }, "after", "5"],
  [{ after: "" }, "after", '""'],
  [{ signal: {} }, "signal", "object"],
  [{ timeoutMs: 5 }, "timeoutMs", "5"],
  [{ keys: "a" }, "keys", '"a"'],
  [null, "options", "null"],
];

const wrongOperations: readonly Wrong[] = [
  [{ op: "put", key: "options/batch", value: 1, ttl: 5 }, "ttl", "5"],
  [{ op: "put", key: "options/batch", value: 1, ttlMs: "5" }, "ttlMs", '"5"'],
  [{ op: "put", key: "options/batch", value: 1, contentType: 5 }, "contentType", "5"],
  [{ op: "put", key: "options/batch", value: 1, w: 2 }, "w", "2"],
  [{ op: "get", key: "options/batch", ttlMs: 5 }, "ttlMs", "5"],
  [{ op: "delete", key: "options/batch", ifMatch: "*" }, "ifMatch", '"*"'],
  [{ op: "touch", key: "options/batch", value: 1 }, "value", "1"],
  [{ op: "set", key: "options/batch", value: 1 }, '"set"'],
  [{ op: "toString", key: "options/batch" }, '"toString"'],
  [{ key: "options/batch" }, "undefined"],
  [null, "undefined"],
];

/** The part of the contract that is about options: none is passed over in silence. */
export function optionsContract(subject: () => KeyValue): void {
  describe("options", () => {
    const calls: readonly (readonly [
      string,
      readonly Wrong[],
      (options: never) => Promise<unknown>,
    ])[] = [
      [
        "put",
        [...wrongWrites, ...wrongTtls, [{ contentType: 5 }, "contentType", "5"]],
        (options) => subject().put("options/put", 1, options),
      ],
      ["get", wrongCalls, (options) => subject().get("options/put", options)],
      ["entry", wrongCalls, (options) => subject().entry("options/put", options)],
      ["has", wrongCalls, (options) => subject().has("options/put", options)],
      ["delete", wrongWrites, (options) => subject().delete("options/kept", options)],
      [
        "touch",
        [...wrongCalls, ...wrongTtls],
        (options) => subject().touch("options/kept", options),
      ],
      ["deletePrefix", wrongCalls, (options) => subject().deletePrefix("options/", options)],
      [
        "list",
        [...wrongLists, [{ delimiter: 5 }, "delimiter", "5"]],
        (options) => subject().list(options),
      ],
      [
        "entries",
        [...wrongLists, [{ delimiter: "/" }, "delimiter", '"/"']],
        (options) => subject().entries(options).next(),
      ],
      [
        "batch",
        wrongCalls,
        (options) => subject().batch([{ op: "put", key: "options/put", value: 1 }], options),
      ],
      ["ready", wrongCalls, (options) => subject().ready(options)],
      ["watch, opened", wrongWatches, (options) => subject().watch(options).opened],
      ["watch, next", wrongWatches, (options) => subject().watch(options).next()],
    ];
    for (const [title, wrongs, call] of calls) {
      it(`are checked by ${title}: names and types, and nothing is done`, async () => {
        await subject().put("options/kept", 1);
        for (const [options, ...named] of wrongs) {
          names(
            await rejectsWith(call(options as never), "invalid-argument", "not-applied"),
            named,
          );
        }
        assert.equal(await subject().has("options/put"), false);
        assert.equal((await subject().entry("options/kept"))?.expiresAt, undefined);
        assert.equal(await subject().get("options/kept"), 1);
      });
    }

    it("are checked by replicated() of a receipt", async () => {
      const receipt = await subject().put("options/receipt", 1);
      for (const [options, ...named] of wrongCalls) {
        const call = receipt.replicated("one", options as never);
        names(await rejectsWith(call, "invalid-argument"), named);
      }
      for (const count of [0, -1, 1.5, NaN, "1", "two", null, undefined, {}]) {
        await rejectsWith(receipt.replicated(count as never), "invalid-argument");
      }
    });

    it("are checked in each operation of a batch, which fails alone", async () => {
      const operations = wrongOperations.map(([operation]) => operation);
      const good = { op: "put", key: "options/good", value: 1 };
      const results = await subject().batch([...operations, good] as never);
      for (const [at, [, ...named]] of wrongOperations.entries()) {
        const error = results[at]?.error;
        assert.equal(results[at]?.status, 400, JSON.stringify(operations[at]));
        assert.equal(error?.code, "invalid-argument");
        names(error, named);
      }
      assert.equal(results.at(-1)?.status, 200);
      assert.equal(await subject().has("options/batch"), false);
      for (const what of ["x", undefined, null, {}, 5]) {
        await rejectsWith(subject().batch(what as never), "invalid-argument", "not-applied");
      }
    });

    it("may be undefined, inherited, and as large as a number is", async () => {
      const { signal } = new AbortController();
      const options = Object.create({ ttlMs: 3_600_000 }) as { ttlMs: number };
      await subject().put("options/fine", 1, options);
      assert.ok((await subject().entry("options/fine"))?.expiresAt !== undefined);
      await subject().put("options/fine", 1, {
        ...{ signal, timeoutMs: Number.MAX_SAFE_INTEGER, w: "all" },
        ...({ ttlMs: undefined, contentType: undefined, ifMatch: undefined } as object),
      });
      assert.equal((await subject().entry("options/fine"))?.expiresAt, undefined);
      const receipt = await subject().put("options/fine", 2, undefined);
      await receipt.replicated("all", { timeoutMs: Number.MAX_SAFE_INTEGER });
      assert.equal(await subject().get("options/fine", { timeoutMs: 2 ** 31 }), 2);
    });

    it("are no place for a prefix that is no string", async () => {
      for (const prefix of [5, null, undefined, {}, ""]) {
        const call = subject().deletePrefix(prefix as never);
        await rejectsWith(call, "invalid-argument", "not-applied");
      }
    });
  });
}

function names(error: DndError, named: readonly string[]): void {
  for (const word of named) {
    assert.ok(error.message.includes(word), `"${error.message}" does not name ${word}`);
  }
}
