import assert from "node:assert/strict";
import type { GossipNode } from "@dnd/gossip";
import type { Replicator } from "@dnd/replication";
import { StorageError, type VersionedMap } from "@dnd/store";
import { until } from "../_test_utils.ts";
import { ReplicationDriver } from "./replication_driver.ts";

/** A driver whose map settles its commits as told, and what it said to the core. */
function rig(commits: Promise<void>[]) {
  const told: string[] = [];
  const replicator = {
    handleCommitted(mark: number): [] {
      told.push(`committed ${mark}`);
      return [];
    },
    handleStorageFailed(): [] {
      told.push("failed");
      return [];
    },
  };
  const gossip = { onStream: () => () => undefined };
  const map = { committed: () => commits.shift() ?? new Promise<void>(() => undefined) };
  const ignore = (): void => undefined;
  const driver = new ReplicationDriver({
    replicator: replicator as unknown as Replicator,
    gossip: gossip as unknown as GossipNode,
    map: map as unknown as VersionedMap,
    logger: { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
    now: () => 1_800_000_000_000,
    ...{ onEvent: ignore, onChanged: ignore, setAside: ignore, reenter: ignore },
  });
  return { driver, told };
}

function failure(code: "storage-full" | "storage-failed"): Promise<void> {
  return Promise.reject(new StorageError(code, "Cannot commit: a test"));
}

describe("ReplicationDriver", () => {
  it("waits for room when a commit finds the disk full: nothing has failed for good (rule 17)", async () => {
    const { driver, told } = rig([
      failure("storage-full"),
      failure("storage-full"),
      Promise.resolve(),
    ]);
    driver.run(() => [{ type: "commit", mark: 7 }]);
    await until("an outcome", () => told.length > 0);
    assert.deepEqual(told, ["committed 7"]);
  });

  it("promises nothing any more when the storage has failed (rule 17)", async () => {
    const { driver, told } = rig([failure("storage-failed")]);
    driver.run(() => [{ type: "commit", mark: 7 }]);
    await until("an outcome", () => told.length > 0);
    assert.deepEqual(told, ["failed"]);
  });

  it("asks the core nothing more when it is closed: a commit may end after the map has", async () => {
    let commit: () => void = () => undefined;
    const { driver, told } = rig([new Promise((resolve) => (commit = resolve))]);
    driver.run(() => [{ type: "commit", mark: 7 }]);
    driver.close();
    commit();
    await new Promise((resolve) => setImmediate(resolve));
    driver.run(() => {
      told.push("asked");
      return [];
    });
    assert.deepEqual(told, []);
  });
});
