import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { VersionedMap, type Entry } from "@dnd/store";
import { TestDisk } from "../_test_disk.ts";
import { startAlone, until, withFolder } from "../_test_utils.ts";
import type { NodeLogger } from "../node_logger.ts";
import { openFolder } from "../open_folder.ts";
import { SetAside } from "./_set_aside.ts";

const peer = "ab".repeat(16);

interface Line {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function rig(): { readonly logger: NodeLogger; readonly lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (fields: object): void =>
      void lines.push({ level, fields: fields as Line["fields"] });
  const logger = { trace: at("trace"), debug: at("debug"), info: at("info") };
  return { logger: { ...logger, warn: at("warn"), error: at("error") }, lines };
}

function entries(): Entry[] {
  const now = Date.now();
  const map = new VersionedMap({ node: "a" });
  return [
    map.put("json", new TextEncoder().encode('{"a":1}'), { now, contentType: "application/json" }),
    map.put("bytes", new Uint8Array([0, 255, 128]), { now, contentType: "image/x" }),
    map.put("short", new TextEncoder().encode("x"), { now, ttlMs: 3_600_000 }),
  ];
}

describe("SetAside (rule 1)", () => {
  it("keeps entries in a file beside the data that an import takes, and says so", () =>
    withFolder(async (root) => {
      const data = await openFolder(join(root, "data"), "dnd");
      const { logger, lines } = rig();
      const aside = new SetAside(data, logger);
      const [first, ...more] = entries();
      aside.keep(peer, first === undefined ? [] : [first]);
      aside.keep(peer, more);
      aside.close();
      await data.close();
      const file = join(root, "data", "set-aside.ndjson");
      assert.deepEqual(
        lines.map(({ level, fields }) => [
          level,
          fields["file"],
          fields["peer"],
          fields["entries"],
        ]),
        [
          ["warn", file, peer, 1],
          ["warn", file, peer, 2],
        ],
      );
      const { node, url } = await startAlone();
      try {
        const body = readFileSync(file);
        const answer = await fetch(`${url}/import`, { method: "POST", body });
        assert.deepEqual(await answer.json(), { imported: 3, failed: [] });
        assert.deepEqual(await node.get("json"), { a: 1 });
        assert.deepEqual((await node.entry("bytes"))?.contentType, "image/x");
        const bytes = await node.get<Uint8Array>("bytes");
        assert.deepEqual([...(bytes ?? [])], [0, 255, 128]);
        assert.ok((await node.entry("short"))?.expiresAt !== undefined);
      } finally {
        await node.close();
      }
    }));

  it("loses nothing where the file cannot be written: says so, and writes it later", () =>
    withFolder(async (root) => {
      const data = await openFolder(join(root, "data"), "dnd");
      const file = join(root, "data", "set-aside.ndjson");
      mkdirSync(file); // in the way
      const { logger, lines } = rig();
      const aside = new SetAside(data, logger, 20);
      aside.keep(peer, entries());
      assert.equal(aside.unwritten, 3);
      assert.ok(lines.some(({ level, fields }) => level === "error" && fields["entries"] === 3));
      rmdirSync(file);
      await until("it is written", () => aside.unwritten === 0);
      assert.equal(readFileSync(file, "utf8").split("\n").length, 4);
      aside.close();
      await data.close();
    }));

  it("leaves no half line in a file that there is no room for", async function () {
    const disk = TestDisk.make(this, "small", 40);
    try {
      const data = await openFolder(join(disk.folder, "data"), "dnd");
      const file = data.setAside("first\n") ?? "";
      const tooMuch = `${"x".repeat(64 * 1024 * 1024)}\n`;
      assert.throws(() => data.setAside(tooMuch), /ENOSPC/);
      data.setAside("second\n");
      assert.equal(readFileSync(file, "utf8"), "first\nsecond\n");
      await data.close();
    } finally {
      disk.remove();
    }
  });

  it("puts into the log what it has to lose with the process", () => {
    const { logger, lines } = rig();
    const setAside = (): never => {
      throw new Error("no file");
    };
    const aside = new SetAside({ setAside }, logger);
    aside.keep(peer, entries());
    aside.close();
    assert.match(String(lines.at(-1)?.fields["lines"]), /"key":"json".*\n.*"key":"bytes"/);
  });
});
