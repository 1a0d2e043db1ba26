import { expect } from "chai";
import { startEngine } from "./_engine_client.ts";
import type { EngineSettings } from "./_engine_protocol.ts";
import { until } from "./_test_utils.ts";
import { BindError } from "./bind_error.ts";
import { SharedState } from "./shared_state.ts";

const settings: EngineSettings = {
  bindAddress: "127.0.0.1",
  cluster: "dnd",
  id: "ab".repeat(16),
  bootId: "cd".repeat(8),
  keys: [],
  permissive: false,
  stalledAfterMs: 1_000,
  helloTimeoutMs: 1_000,
  streamTimeoutMs: 1_000,
  partitionLevel: 2,
  packetsPerSecond: 10_000,
  watchHost: true,
};

describe("startEngine()", () => {
  it("says when the worker is gone, and rejects what was asked of it", async () => {
    const failures: Error[] = [];
    const engine = startEngine("worker", {
      settings: { ...settings, keys: [new Uint8Array(5)] }, // makes the worker throw at its start
      shared: new SharedState(),
      onNews: () => undefined,
      onFailure: (error) => void failures.push(error),
    });
    const asked: unknown = await engine.call("bind", 0).catch((error: unknown) => error);
    expect(asked).to.be.instanceOf(Error);
    await until(() => failures.length === 1);
    const later: unknown = await engine.call("remembered").catch((error: unknown) => error);
    expect(later).to.equal(failures[0]);
    await engine.terminate();
  });

  for (const thread of ["worker", "main"] as const) {
    it(`gives errors their class and code back from the ${thread} thread`, async () => {
      const engine = startEngine(thread, {
        settings: { ...settings, bindAddress: "192.0.2.77" },
        shared: new SharedState(),
        onNews: () => undefined,
        onFailure: () => undefined,
      });
      const error: unknown = await engine.call("bind", 0).catch((e: unknown) => e);
      expect(error).to.be.instanceOf(BindError).with.property("code", "address-not-available");
      expect((error as Error).message).to.contain("192.0.2.77:0");
      await engine.terminate();
    });
  }
});
