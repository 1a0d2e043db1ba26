import assert from "node:assert/strict";
import { createNode } from "./create_node.ts";
import type { NodeLogger } from "./node_logger.ts";

const keys = 3000;

describe("a node that joins", function () {
  this.timeout(60_000);

  it("tells in the log how far its first copy is (keys, bytes, percent), and then that it is ready", async () => {
    const first = await createNode({});
    const lines: {
      readonly fields: Readonly<Record<string, unknown>>;
      readonly message: string;
    }[] = [];
    const quiet = (): void => undefined;
    const info: NodeLogger["info"] = (fields: object, message: string) =>
      void lines.push({ fields: fields as Record<string, unknown>, message });
    const logger: NodeLogger = { trace: quiet, debug: quiet, info, warn: quiet, error: quiet };
    await Promise.all(
      Array.from({ length: keys }, (_, n) => first.put(`key ${n}`, "v".repeat(200))),
    );
    const second = await createNode({ seeds: [first.address], logger });
    try {
      await second.ready({ timeoutMs: 50_000 });
      const told = lines.filter(({ message }) => message.startsWith("first copy: "));
      const last = told.at(-1);
      assert.ok(told.length > 1 && told.length <= 101, `${told.length} lines`);
      assert.equal(last?.message, "first copy: 100 percent");
      const { peer, keys: held, bytes, percent } = last.fields;
      assert.deepEqual({ peer, held, percent }, { peer: first.id, held: keys, percent: 100 });
      assert.ok(Number(bytes) > keys * 200);
      let before = { keys: -1, bytes: -1, percent: -1 };
      for (const { fields } of told) {
        const now = fields as typeof before;
        assert.ok(now.keys >= before.keys && now.bytes >= before.bytes, "it only rises");
        assert.ok(now.percent >= before.percent);
        before = now;
      }
      assert.ok(
        lines.some(({ fields, message }) => message === "ready" && fields["alone"] === false),
      );
      const info = await second.cluster();
      assert.equal(info.copy, undefined);
      assert.equal(info.keys, keys);
    } finally {
      await second.close();
      await first.close();
    }
  });
});
