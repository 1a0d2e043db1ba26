import assert from "node:assert/strict";
import { CommitQueue } from "./_commit_queue.ts";
import type { Group } from "./_group.ts";

/** A queue over a disk that seems to need so long for a commit, and the sizes of its commits. */
function queueOver(
  diskMs: number,
  mostWaitMs: number,
): { queue: CommitQueue; sizes: number[]; pass: (ms: number) => void } {
  const sizes: number[] = [];
  let nowMs = 0;
  const queue = new CommitQueue({
    commit: async (group: Group) => {
      sizes.push(group.batches);
      await nextTurn();
      nowMs += diskMs;
    },
    committed: () => undefined,
    failed: (error) => assert.fail(error),
    isFull: () => false,
    deadlineMs: Infinity,
    mostWaitMs,
    now: () => nowMs,
  });
  const pass = (ms: number): void => void (nowMs += ms);
  return { queue, sizes, pass };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function write(queue: CommitQueue): Promise<void> {
  queue.open();
  await queue.settled();
}

describe("CommitQueue", () => {
  it("lets writers that take their time to come back share one commit of a slow disk", async () => {
    const { queue, sizes } = queueOver(1_000_000, 60_000);
    for (let round = 0; round < 3; round += 1) {
      const writes: Promise<void>[] = [];
      for (let n = 0; n < 4; n += 1) {
        writes.push(write(queue));
        if (round > 0) for (let turn = 0; turn < 3; turn += 1) await nextTurn();
      }
      await Promise.all(writes);
    }
    assert.deepEqual(sizes, [4, 4, 4]);
  });

  it("waits only so long for writers that do not come back, and not for them again", async () => {
    const { queue, sizes } = queueOver(40, 5);
    await Promise.all([write(queue), write(queue), write(queue), write(queue)]);
    for (let n = 0; n < 3; n += 1) await write(queue);
    assert.deepEqual(sizes, [4, 1, 1, 1]);
  });

  it("does not wait for anybody on a fast disk", async () => {
    const { queue, sizes } = queueOver(1, 60_000);
    await Promise.all([write(queue), write(queue)]);
    for (let n = 0; n < 3; n += 1) await write(queue);
    assert.deepEqual(sizes, [2, 1, 1, 1]);
  });

  it("takes in on a fast disk what each turn brings, until one brings nothing", async () => {
    const { queue, sizes } = queueOver(1, 60_000);
    await write(queue); // from now on it is known how long a commit takes
    const writes = [write(queue), write(queue)];
    for (let turn = 0; turn < 4; turn += 1) {
      await nextTurn();
      writes.push(write(queue));
    }
    await Promise.all(writes);
    for (let n = 0; n < 2; n += 1) await write(queue);
    assert.deepEqual(sizes, [1, 6, 1, 1]);
  });

  it("takes in writes no longer than the commit before it took", async () => {
    const { queue, sizes, pass } = queueOver(1, 60_000);
    await write(queue);
    const writes = [write(queue), write(queue)];
    for (let turn = 0; turn < 20; turn += 1) {
      await nextTurn();
      pass(0.3);
      writes.push(write(queue));
    }
    await Promise.all(writes);
    assert.ok((sizes[1] ?? 0) > 2 && Math.max(...sizes) < 9, `commits of ${sizes.join(", ")}`);
  });

  it("does not wait when everybody is there", async () => {
    const { queue, sizes } = queueOver(1_000_000, 60_000);
    for (let n = 0; n < 5; n += 1) await Promise.all([write(queue), write(queue)]);
    assert.deepEqual(sizes, [2, 2, 2, 2, 2]);
  });

  it("begins the next commit at once when many changes wait for it", async () => {
    const { queue, sizes } = queueOver(1_000_000, 60_000);
    const first = Promise.all([write(queue), write(queue), write(queue)]);
    await nextTurn(); // the first commit is on its way
    const group = queue.open();
    for (let n = 0; n < 600; n += 1) {
      group.add({ key: `k${n}`, entry: undefined, previous: undefined }, undefined, false);
    }
    const next = queue.settled();
    await first;
    assert.deepEqual(sizes, [3, 1]);
    await next;
  });

  it("ends while it waits for writers, and commits what is there", async () => {
    const { queue, sizes } = queueOver(40, 5);
    await Promise.all([write(queue), write(queue)]);
    queue.open();
    assert.equal(await queue.close(), false);
    assert.deepEqual(sizes, [2, 1]);
  });
});
