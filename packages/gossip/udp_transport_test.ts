import { expect } from "chai";
import cluster from "node:cluster";
import { fork } from "node:child_process";
import { once } from "node:events";
import { BindError } from "./bind_error.ts";
import { UdpTransport } from "./udp_transport.ts";
import { until } from "./_test_utils.ts";

const loopback = { address: "127.0.0.1", port: 0 };

describe("UdpTransport", () => {
  const open: UdpTransport[] = [];
  async function bind(options: Partial<Parameters<typeof UdpTransport.bind>[0]> = {}) {
    const inbox: { text: string; from: string }[] = [];
    const transport = await UdpTransport.bind({
      ...loopback,
      onDatagram: (bytes, from) => void inbox.push({ text: Buffer.from(bytes).toString(), from }),
      ...options,
    });
    open.push(transport);
    return { transport, inbox };
  }
  afterEach(async () => {
    await Promise.all(open.splice(0).map((transport) => transport.close()));
  });

  it("carries datagrams and says from where", async () => {
    const [a, b] = [await bind(), await bind()];
    expect(a.transport.send(Buffer.from("hello"), b.transport.address)).to.equal(true);
    await until(() => b.inbox.length === 1);
    expect(b.inbox).to.deep.equal([{ text: "hello", from: a.transport.address }]);
    expect(a.transport.counters.sentBytes).to.equal(5);
    expect(b.transport.counters.receivedDatagrams).to.equal(1);
  });

  it("speaks IPv6, and IPv4 over a wildcard IPv6 socket", async () => {
    const six = await bind({ address: "::" });
    const four = await bind();
    four.transport.send(Buffer.from("4"), `127.0.0.1:${six.transport.port}`);
    await until(() => six.inbox.length === 1);
    expect(six.inbox[0]?.from).to.equal(four.transport.address);
    six.transport.send(Buffer.from("6"), four.transport.address);
    await until(() => four.inbox.length === 1);
    const literal = await bind({ address: "::1" });
    six.transport.send(Buffer.from("v6"), literal.transport.address);
    await until(() => literal.inbox.length === 1);
    expect(literal.inbox[0]?.from).to.equal(`[::1]:${six.transport.port}`);
  });

  it("asks for a receive buffer of 4 MiB", async () => {
    const { transport } = await bind();
    const small = await bind({ receiveBufferBytes: 64 << 10 });
    expect(transport.receiveBufferBytes).to.be.greaterThan(small.transport.receiveBufferBytes);
  });

  it("fails with a typed error when the port is taken, and leaves nothing open", async () => {
    const { transport } = await bind();
    const error: unknown = await bind({ port: transport.port }).catch((e: unknown) => e);
    expect(error).to.be.instanceOf(BindError);
    expect(error).to.have.property("code", "address-in-use");
    expect((error as Error).message).to.contain(`UDP 127.0.0.1:${transport.port}`);
    const away: unknown = await bind({ address: "192.0.2.77" }).catch((e: unknown) => e);
    expect(away).to.have.property("code", "address-not-available");
  });

  it("is exclusive in the workers of a node:cluster too", async () => {
    const { transport } = await bind();
    expect(cluster.isPrimary).to.equal(true);
    const child = fork(
      new URL("./testdata/cluster_bind.mjs", import.meta.url.replace("/dist/", "/")),
      [new URL("./udp_transport.js", import.meta.url).href, String(transport.port)],
      { stdio: ["ignore", "inherit", "inherit", "ipc"] },
    );
    const [message] = (await once(child, "message")) as [{ free: string[]; taken: string }];
    await once(child, "exit");
    // Two workers asked for one free port of their own choice: one got it, the other was told.
    expect(message.free.toSorted()).to.deep.equal(["address-in-use", "bound"]);
    expect(message.taken).to.equal("address-in-use");
  });

  it("sends a large fan-out in bursts, in order, without losing any on loopback", async () => {
    const b = await bind();
    const a = await bind({ burst: 16 });
    for (let n = 0; n < 1_000; n++) a.transport.send(Buffer.from(String(n)), b.transport.address);
    expect(a.transport.counters.sentDatagrams).to.equal(16);
    await until(() => b.inbox.length === 1_000);
    expect(b.inbox.map(({ text }) => Number(text))).to.deep.equal([...Array(1_000).keys()]);
    expect(a.transport.queuedBytes).to.equal(0);
  });

  it("drops and counts what does not fit the queue", async () => {
    const { transport } = await bind({ burst: 1, maxQueuedBytes: 250 });
    const sent = [...Array(10).keys()].map(() => transport.send(Buffer.alloc(100), "127.0.0.1:9"));
    expect(sent.filter(Boolean)).to.have.length(3);
    expect(transport.counters.dropped).to.equal(7);
  });

  it("keeps errors of the network inside and counts them by code", async () => {
    const codes: string[] = [];
    const { transport, inbox } = await bind({
      onError: (error) => void codes.push(error.code ?? ""),
    });
    transport.send(Buffer.alloc(70_000), transport.address); // EMSGSIZE
    transport.send(Buffer.from("x"), "255.255.255.255:9"); // EACCES: no broadcast
    transport.send(Buffer.from("x"), "[::1]:9"); // no IPv6 on this socket
    transport.send(Buffer.from("x"), "name.example:9"); // never looked up
    await until(() => codes.length === 4);
    expect(transport.counters.errors).to.deep.include({ EMSGSIZE: 1, EINVAL: 2 });
    transport.send(Buffer.from("still alive"), transport.address);
    await until(() => inbox.length === 1);
  });

  it("sends what waits when it is closed", async () => {
    const b = await bind();
    const a = await bind({ burst: 1 });
    for (let n = 0; n < 50; n++) a.transport.send(Buffer.from("last words"), b.transport.address);
    await a.transport.close();
    await until(() => b.inbox.length === 50);
    expect(a.transport.send(Buffer.from("x"), b.transport.address)).to.equal(false);
  });
});
