// A node:cluster of two workers that try to bind: both the same free port (without `exclusive`
// they would share it without a word), then one that is taken.
// Arguments: URL of udp_transport.js, the taken port.
import cluster from "node:cluster";
import process from "node:process";

const [url, taken] = process.argv.slice(2);

/** @param {number} port */
async function bind(port) {
  const { UdpTransport } = await import(url);
  try {
    const transport = await UdpTransport.bind({ address: "127.0.0.1", port, onDatagram() {} });
    return { answer: "bound", port: transport.port };
  } catch (error) {
    return { answer: error.code, port };
  }
}

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  /** @param {import("node:cluster").Worker} worker @param {number} port */
  const ask = (worker, port) =>
    new Promise((resolve) => {
      worker.once("message", resolve);
      worker.send(port);
    });
  await Promise.all(workers.map((worker) => new Promise((r) => worker.once("message", r))));
  // A free port asked for by number, as a configuration would.
  const { UdpTransport } = await import(url);
  const probe = await UdpTransport.bind({ address: "127.0.0.1", port: 0, onDatagram() {} });
  await probe.close();
  const first = await ask(workers[0], probe.port);
  const second = await ask(workers[1], first.port);
  const third = await ask(workers[1], Number(taken));
  for (const worker of workers) worker.kill();
  process.send({ free: [first.answer, second.answer], taken: third.answer }, () => process.exit());
} else {
  process.on("message", async (port) => process.send(await bind(Number(port))));
  process.send("up");
}
