import assert from "node:assert/strict";
import { request, type IncomingMessage } from "node:http";
import { NodeProcess, freePorts } from "./_test_process.ts";
import { until, withFolder } from "./_test_utils.ts";

/** A watch that shows what has come so far. */
class OpenWatch {
  text = "";
  #answer: IncomingMessage | undefined;

  static async open(
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<OpenWatch> {
    const watch = new OpenWatch();
    watch.#answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, { headers }, resolve).once("error", reject).end();
    });
    watch.#answer.on("data", (chunk: Buffer) => (watch.text += chunk.toString()));
    watch.#answer.on("error", () => undefined);
    return watch;
  }

  get ended(): boolean {
    return this.#answer?.readableEnded === true;
  }

  /** Types and keys of the events, in their order. */
  get events(): string[] {
    const events = this.text.split("\n\n").filter((block) => block.includes("event: "));
    return events.map((block) => {
      const type = /^event: (.*)$/m.exec(block)?.[1] ?? "";
      const data = JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "null") as { key?: string };
      return `${type} ${data.key ?? ""}`.trim();
    });
  }

  /** The last id that came, of an event or before the first one. */
  get lastId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? "";
  }

  close(): void {
    this.#answer?.destroy();
  }
}

describe("watches of a process", function () {
  this.timeout(60_000);

  it("continue behind after and Last-Event-ID, end when it stops, and say reset after its restart", () =>
    withFolder(async (folder) => {
      let node = await NodeProcess.start(["start", ...freePorts(folder)]);
      const put = (key: string): Promise<Response> =>
        fetch(`${node.url}/kv/${key}`, { method: "PUT", body: "1" });
      const open = (query: string, last?: string): Promise<OpenWatch> =>
        OpenWatch.open(
          `${node.url}/watch?prefix=w/${query}`,
          last === undefined ? {} : { "Last-Event-ID": last },
        );
      try {
        const first = await open("");
        const event = (await put("w/1")).headers.get("dnd-event") ?? "";
        await put("other");
        await put("w/2");
        await until("two events", () => first.events.length === 2);
        assert.deepEqual(first.events, ["put w/1", "put w/2"]);
        first.close();

        await fetch(`${node.url}/kv/w/1`, { method: "DELETE" });
        // The id of a write is one to continue behind, and the header beats the query.
        for (const watch of [
          await open(`&after=${event}`),
          await open("", event),
          await open("&after=nonsense", event),
        ]) {
          await until("what was missed", () => watch.events.length === 2);
          assert.deepEqual(watch.events, ["put w/2", "delete w/1"]);
          watch.close();
        }

        const open1 = await open("");
        await put("w/3");
        await until("an event", () => open1.events.length === 1);
        const before = open1.lastId;
        assert.equal((await node.end()).code, 0);
        await until("the watch ends with the node", () => open1.ended);

        node = await NodeProcess.start(["start", ...freePorts(folder)]);
        const again = await open("", before);
        await until("a reset", () => again.events.length === 1);
        assert.match(again.text, /"reason":"the id is from before the node's last start"/);
        await put("w/4");
        await until("live events", () => again.events.length === 2);
        assert.deepEqual(again.events, ["reset", "put w/4"]);
        again.close();
        // From the id that came with the reset on it goes on without a gap.
        await put("w/5");
        const gapless = await open(`&after=${again.lastId}`);
        await until("the next event", () => gapless.events.length === 1);
        assert.deepEqual(gapless.events, ["put w/5"]);
        gapless.close();
      } finally {
        await node.end("SIGKILL");
      }
    }));
});
