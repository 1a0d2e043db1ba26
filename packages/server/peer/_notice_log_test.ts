import assert from "node:assert/strict";
import type { NodeLogger } from "../node_logger.ts";
import { NoticeLog } from "./_notice_log.ts";

const silent = { type: "seed", seed: "10.0.0.7:5000", reason: "silent" } as const;

function rig(): { readonly log: NoticeLog; readonly lines: (readonly [object, string])[] } {
  const lines: (readonly [object, string])[] = [];
  const quiet = (): void => undefined;
  const warn = (fields: object, message: string): void => void lines.push([fields, message]);
  const logger: NodeLogger = { trace: quiet, debug: quiet, info: quiet, warn, error: quiet };
  return { log: new NoticeLog(logger), lines };
}

describe("NoticeLog", () => {
  it("names a seed that cannot be reached at once, with the reason", () => {
    const { log, lines } = rig();
    log.tell(silent, 0);
    log.tell({ ...silent, reason: "unresolved" }, 1);
    const { seed } = silent;
    assert.deepEqual(lines, [
      [
        { seed, reason: "silent" },
        `seed ${seed} cannot be reached: it does not answer; it is called again`,
      ],
      [
        { seed, reason: "unresolved" },
        `seed ${seed} cannot be reached: its name has no address; it is called again`,
      ],
    ]);
  });

  it("names it again ever more rarely, for ever, and says how often it was left out", () => {
    const { log, lines } = rig();
    const at: number[] = [];
    for (let now = 0; now < 86_400_000; now += 1000) {
      const before = lines.length;
      log.tell(silent, now);
      if (lines.length > before) at.push(now / 1000);
    }
    assert.deepEqual(at.slice(0, 9), [0, 10, 30, 70, 150, 310, 630, 1230, 1830]);
    assert.ok(lines.length < 160, `${lines.length} lines in a day`);
    assert.equal((lines[1]?.[0] as { leftOut: number }).leftOut, 9);
  });

  it("begins anew for one that was in order meanwhile, and holds nothing back of another", () => {
    const { log, lines } = rig();
    for (let now = 0; now <= 120_000; now += 1000) log.tell(silent, now);
    const before = lines.length;
    log.tell({ ...silent, seed: "10.0.0.8:5000" }, 120_001);
    log.tell(
      { type: "refused", address: "10.0.0.7:5000", code: "wrong-cluster", detail: "no" },
      120_002,
    );
    log.tell(silent, 240_000);
    assert.equal(lines.length, before + 3);
  });
});
