// One GossipNode in a process of its own. Arguments: URL of mod.js, options as JSON.
// Says { started } and { event } to its parent; takes { block: ms }, { flood: [ids], bytes, ms }, { stop }.
import process from "node:process";

const [url, json] = process.argv.slice(2);
const { GossipNode } = await import(url);
const node = new GossipNode(JSON.parse(json));
const start = process.hrtime.bigint();
const at = () => Number(process.hrtime.bigint() - start) / 1e6;

node.onEvent(({ type, member }) => {
  process.send({ event: { type, id: member.id, self: member.self, at: at() } });
});
let updates = 0;
node.onUpdate(() => {
  updates += 1;
});

process.on("message", async (message) => {
  if (message.block !== undefined) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.block);
    process.send({ unblocked: message.block });
  }
  if (message.flood !== undefined) {
    const bytes = new Uint8Array(message.bytes);
    const until = Date.now() + message.ms;
    let sent = 0;
    while (Date.now() < until) {
      for (let n = 0; n < 50; n++) if (node.send(message.flood, bytes)) sent += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.send({ flooded: sent });
  }
  if (message.counters !== undefined) {
    process.send({ counters: await node.counters(), updates, dropped: node.dropped });
  }
  if (message.stop !== undefined) {
    await node.stop();
    process.exit(0);
  }
});

await node.start();
process.send({ started: { id: node.id, address: node.address } });
