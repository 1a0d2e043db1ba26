import assert from "node:assert/strict";
import { isBadPort } from "./_bad_ports.ts";
import { createClient } from "./create_client.ts";
import { DndError } from "./dnd_error.ts";

describe("blocked ports", () => {
  it("are those that fetch here refuses, and no other that it would connect to", async () => {
    const refused: number[] = [];
    const listed: number[] = [];
    for (let port = 1; port < 11_000; port += 1) {
      if (isBadPort(port)) listed.push(port);
    }
    for (const port of listed) {
      const error = await fetch(`http://127.0.0.1:${port}/`).catch((reason: unknown) => reason);
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause instanceof Error && cause.message === "bad port") refused.push(port);
    }
    // 4190 and 6679 came into the standard later than into this Node.
    assert.deepEqual(
      listed.filter((port) => !refused.includes(port) && port !== 4190 && port !== 6679),
      [],
    );
    assert.ok(isBadPort(6000) && !isBadPort(6080) && !isBadPort(80));
  });

  it("are refused at once, with the way out", () => {
    for (const [url, hint] of [
      ["http://127.0.0.1:6000", "http://127.0.0.1:6080"],
      ["http://[::1]:6000/", "http://[::1]:6080"],
      ["http://db.example:6667", "--web-port"],
    ] as const) {
      assert.throws(
        () => createClient({ urls: ["http://127.0.0.1:6080", url] }),
        (error) =>
          error instanceof DndError &&
          error.code === "port-blocked" &&
          error.message.includes(hint),
      );
    }
  });

  it("are left to a fetch that was given", async () => {
    const dnd = createClient({
      urls: ["http://127.0.0.1:6000"],
      fetch: async (url) => new Response(url),
    });
    await dnd.health();
  });
});
