import type { Change, EntryEvent } from "./map_options.ts";
import { NOW, bytesOf } from "./_test_utils.ts";
import { MemoryEngine } from "./memory_engine.ts";
import { StorageError } from "./errors.ts";
import { VersionedMap } from "./versioned_map.ts";
import { expect } from "chai";
import { stampOf } from "./version.ts";
import type { EngineListener, EngineState } from "./engine.ts";

function newMap(): VersionedMap {
  return new VersionedMap({ node: "a", clock: () => NOW });
}

/** The next `count` changes of a watch, as short texts. */
async function take(watch: AsyncIterator<Change, undefined>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const result = await watch.next();
    if (result.done === true) break;
    const change = result.value;
    taken.push(
      change.type === "reset"
        ? `reset ${change.reason} ${change.counter}`
        : `${change.type} ${change.key} ${change.counter}`,
    );
  }
  return taken;
}

/** An engine that commits when told. */
class SlowEngine extends MemoryEngine {
  committedTo = 0;
  listener: EngineListener | undefined;

  override open(listener: EngineListener): EngineState {
    this.listener = listener;
    return super.open(listener);
  }

  override get committedCounter(): number {
    return this.committedTo;
  }

  commit(counter: number): void {
    this.committedTo = counter;
    this.listener?.committed(counter);
  }
}

describe("watch()", () => {
  it("follows puts, deletes, merges and expiries", async () => {
    const map = newMap();
    const watch = map.watch();
    map.put("a", bytesOf("1"), { ttlMs: 10 });
    map.delete("b");
    map.merge([{ key: "c", value: bytesOf("x"), version: { time: 1, node: "b" } }]);
    map.expire({ now: NOW + 10 });
    expect(await take(watch, 4)).to.deep.equal(["put a 1", "delete b 2", "put c 3", "expire a 1"]);
  });

  it("wakes a reader that waits, each change once", async () => {
    const map = newMap();
    const watch = map.watch();
    const both = Promise.all([watch.next(), watch.next()]);
    map.put("a", bytesOf("1"));
    map.put("b", bytesOf("1"));
    const [first, second] = await both;
    expect((first.value as EntryEvent).key).to.equal("a");
    expect((second.value as EntryEvent).key).to.equal("b");
  });

  it("keeps to a prefix, or to one key", async () => {
    const map = newMap();
    const prefix = map.watch({ prefix: "user/" });
    const one = map.watch({ key: "user" });
    for (const key of ["a", "user", "user/1", "user/2", "b"]) map.put(key, bytesOf("x"));
    expect(await take(prefix, 2)).to.deep.equal(["put user/1 3", "put user/2 4"]);
    expect(await take(one, 1)).to.deep.equal(["put user 2"]);
  });

  it("gives a slow reader one reset, never unbounded memory, and goes on after it", async () => {
    const map = newMap();
    const watch = map.watch({ bufferSize: 4 });
    for (let i = 1; i <= 5; i += 1) map.put(`k${i}`, bytesOf("x"));
    map.put("after", bytesOf("x"));
    expect(await take(watch, 2)).to.deep.equal(["reset slow-reader 5", "put after 6"]);
    expect(map.statistics().resets).to.equal(1);
    // what comes after the reset continues where the reset says
    expect(map.changesSince(5)).to.have.length(1);
  });

  it("holds 1,024 changes by default", async () => {
    const map = newMap();
    const watch = map.watch();
    for (let i = 1; i <= 1024; i += 1) map.put("k", bytesOf("x"));
    expect(await take(watch, 1)).to.deep.equal(["put k 1"]);
    map.put("k", bytesOf("x"));
    map.put("k", bytesOf("x"));
    expect(await take(watch, 1)).to.deep.equal(["reset slow-reader 1026"]);
  });

  it("bounds the bytes that wait, too", async () => {
    const map = newMap();
    const watch = map.watch({ bufferBytes: 1000 });
    map.put("a", new Uint8Array(900));
    map.put("b", new Uint8Array(200));
    expect(await take(watch, 1)).to.deep.equal(["reset slow-reader 2"]);
    map.put("large", new Uint8Array(5000));
    expect(await take(watch, 1)).to.deep.equal(["put large 3"]);
  });

  it("begins in the past when told, however far, a page at a time", async () => {
    const map = newMap();
    for (let i = 1; i <= 3000; i += 1) map.put(`k${i}`, bytesOf("x"));
    const watch = map.watch({ after: 10, bufferSize: 2, prefix: "k" });
    const first = await take(watch, 1);
    map.put("k1", bytesOf("y")); // changes while it catches up
    const rest = await take(watch, 2990);
    expect(first).to.deep.equal(["put k11 11"]);
    expect(rest.at(-2)).to.equal("put k3000 3000");
    expect(rest.at(-1)).to.equal("put k1 3001");
    map.put("new", bytesOf("x"));
    map.put("k2", bytesOf("x"));
    expect(await take(watch, 1)).to.deep.equal(["put k2 3003"]);
  });

  it("begins with a reset when the log does not reach back", async () => {
    const map = newMap();
    map.delete("a");
    map.put("b", bytesOf("x"));
    map.reap(stampOf(NOW + 1));
    map.put("c", bytesOf("x"));
    const watch = map.watch({ after: 0 });
    expect((await take(watch, 1))[0]).to.match(/^reset log-truncated/);
    map.put("d", bytesOf("x"));
    expect(await take(watch, 1)).to.deep.equal(["put d 4"]);
  });

  it("shows changes when they are committed, not before (rule 9)", async () => {
    const engine = new SlowEngine();
    const map = new VersionedMap({ node: "a", engine, clock: () => NOW });
    const live = map.watch();
    const late = map.watch({ after: 0 });
    map.put("a", bytesOf("x"));
    map.put("b", bytesOf("x"));
    expect(map.changesSince(0)).to.deep.equal([]);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const change of live) {
        seen.push(change.type === "reset" ? "reset" : change.key);
        if (seen.length === 2) break;
      }
    })();
    await Promise.resolve();
    expect(seen).to.deep.equal([]);
    engine.commit(1);
    expect(await take(late, 1)).to.deep.equal(["put a 1"]);
    expect(seen).to.deep.equal(["a"]);
    expect(map.changesSince(0)).to.have.length(1);
    engine.commit(2);
    await reading;
    expect(seen).to.deep.equal(["a", "b"]);
    expect(await take(late, 1)).to.deep.equal(["put b 2"]);
  });

  it("ends with break, return(), its signal, or the map", async () => {
    const map = newMap();
    map.put("a", bytesOf("x"));
    for await (const change of map.watch({ after: 0 })) {
      expect(change.type).to.equal("put");
      break;
    }
    expect(map.statistics().watchers).to.equal(0);

    const abort = new AbortController();
    const watch = map.watch({ signal: abort.signal });
    const waiting = watch.next();
    abort.abort();
    expect(await waiting).to.deep.equal({ done: true, value: undefined });
    expect(await watch.next()).to.deep.equal({ done: true, value: undefined });
    const aborted = map.watch({ signal: abort.signal });
    expect(await aborted.next()).to.deep.equal({ done: true, value: undefined });
    expect(map.statistics().watchers).to.equal(0);

    const last = map.watch();
    map.put("b", bytesOf("x"));
    await map.close();
    expect(await take(last, 5)).to.deep.equal(["put b 2"]);
    expect(() => map.watch())
      .to.throw(StorageError)
      .with.property("code", "closed");
  });

  it("ends with the error of an engine that failed", async () => {
    const engine = new SlowEngine();
    const map = new VersionedMap({ node: "a", engine, clock: () => NOW });
    const waiting = map.watch().next();
    const idle = map.watch();
    engine.listener?.failed(new StorageError("storage-failed", "Cannot commit: the disk is gone"));
    const reason = await waiting.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(reason).to.have.property("code", "storage-failed");
    const later = await idle.next().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(later).to.have.property("code", "storage-failed");
    expect(await idle.next()).to.deep.equal({ done: true, value: undefined });
  });
});
