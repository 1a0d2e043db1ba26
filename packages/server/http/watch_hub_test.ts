import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { VersionedMap } from "@dnd/store";
import { until } from "../_test_utils.ts";
import { ChangeFeed } from "../change_feed.ts";
import { WatchHub } from "./watch_hub.ts";

/** As much of a response as the hub uses. */
class Response {
  text = "";
  readonly destroyed = false;
  readonly writableEnded = false;
  readonly writableLength = 0;

  write(chunk: string | Buffer): boolean {
    this.text += chunk.toString();
    return true;
  }

  get events(): string[] {
    return [...this.text.matchAll(/event: (\w+)\nid: \S+\ndata: \{"key":"([^"]+)"/g)].map(
      ([, type, key]) => `${type} ${key}`,
    );
  }
}

describe("WatchHub", () => {
  it("tells a watch that joins while changes wait to go out nothing twice, and loses nothing", async () => {
    const map = new VersionedMap({ node: "a", clock: Date.now });
    const feed = new ChangeFeed(map, {
      ...{ id: "a", generation: 1 },
      onError: (error) => assert.fail(String(error)),
    });
    const hub = new WatchHub(feed);
    const { signal } = new AbortController();
    const open = (after?: string): Response => {
      const response = new Response();
      const options = { after, signal };
      void hub.serve(response as unknown as ServerResponse, { values: false }, options);
      return response;
    };
    const put = (key: string, ttlMs?: number): void => {
      map.put(key, new Uint8Array(0), ttlMs === undefined ? {} : { ttlMs });
      feed.poke();
    };
    // So many that nothing goes out at once.
    const crowd = Array.from({ length: 40 }, () => open());
    put("early");
    put("short", 1);
    await until("the crowd has both", () => crowd.every(({ events }) => events.length === 2));
    const seen = feed.idOf(map.counter);
    await until("it expires", () => {
      const expired = map.expire();
      feed.expired(expired);
      return expired.length > 0;
    });
    // The expiry waits; who comes now reads it for itself.
    const late = open(seen);
    put("after");
    const last = open(feed.idOf(map.counter));
    put("end");
    await until("all have the end", () =>
      [...crowd, late, last].every(({ text }) => text.includes('"end"')),
    );
    const whole = ["put early", "put short", "expire short", "put after", "put end"];
    for (const { events } of crowd) assert.deepEqual(events, whole);
    assert.deepEqual(late.events, ["expire short", "put after", "put end"]);
    assert.deepEqual(last.events, ["put end"]);
    hub.close();
    feed.close();
  });
});
