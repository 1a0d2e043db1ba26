import { expect } from "chai";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { encodeFrame } from "@dnd/protocol";
import { streamLimits } from "./_stream_caller.ts";
import { type LocalHello, openPeerStream, tlsOptions } from "./_stream_handshake.ts";
import { StreamKeyring } from "./_stream_keyring.ts";
import { until } from "./_test_utils.ts";
import { PeerListener, type PeerListenerOptions, type RejectionCode } from "./peer_listener.ts";
import type { PeerStream } from "./peer_stream.ts";
import { PeerStreamError } from "./peer_stream_error.ts";

const serverId = "5e".repeat(16);
const clientId = "c1".repeat(16);

function hello(id: string, cluster = "dnd"): LocalHello {
  return () => ({
    id,
    cluster,
    generation: 3,
    bootId: "b0".repeat(8),
    algorithm: 1,
    scope: new Uint8Array(0),
    partitionLevel: 2,
    wall: 0,
    clock: 0,
    address: "127.0.0.1:1",
  });
}

describe("PeerListener", () => {
  const listeners: PeerListener[] = [];
  const streams: PeerStream[] = [];

  async function listen(options: Partial<PeerListenerOptions> = {}) {
    const served: PeerStream[] = [];
    const rejected: RejectionCode[] = [];
    const listener = await PeerListener.bind({
      address: "127.0.0.1",
      port: 0,
      local: hello(serverId),
      keys: new StreamKeyring([], false),
      limits: streamLimits(2_000),
      maxConnections: 64,
      maxStrangers: 8,
      maxPerPeer: 32,
      helloTimeoutMs: 2_000,
      serves: (purpose) => purpose === "test",
      onStream: (stream) => void served.push(stream),
      onRejected: (code) => void rejected.push(code),
      ...options,
    });
    listeners.push(listener);
    return { listener, served, rejected };
  }

  async function open(
    listener: PeerListener,
    options: Partial<Parameters<typeof openPeerStream>[0]> = {},
  ) {
    const stream = await openPeerStream({
      address: listener.address,
      purpose: "test",
      local: hello(clientId),
      keyring: new StreamKeyring([], false),
      limits: streamLimits(2_000),
      timeoutMs: 2_000,
      signals: [],
      ...options,
    });
    streams.push(stream);
    return stream;
  }

  async function failure(promise: Promise<unknown>): Promise<PeerStreamError> {
    const error: unknown = await promise.then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).to.be.instanceOf(PeerStreamError);
    return error as PeerStreamError;
  }

  /** A raw connection, and what came back on it until it was closed. */
  function raw(listener: PeerListener): { socket: Socket; closed: Promise<Buffer> } {
    const socket = connect(listener.port, "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => undefined);
    // Not `once`: it rejects when an "error" comes first, and a cut may well be a reset.
    const closed = new Promise<Buffer>((resolve) => {
      socket.on("close", () => resolve(Buffer.concat(chunks)));
    });
    return { socket, closed };
  }

  afterEach(async () => {
    for (const stream of streams.splice(0)) stream.destroy();
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
  });

  it("introduces both sides, then carries frames both ways", async () => {
    const { listener, served } = await listen();
    const stream = await open(listener, { target: serverId });
    expect(stream.peer).to.include({ id: serverId, generation: 3 });
    await until(() => served.length === 1);
    const [other] = served;
    expect(other?.peer).to.include({ id: clientId, address: "127.0.0.1:1" });
    stream.send({ body: { type: "sent", sequence: 7, gone: [] } });
    expect((await other?.next())?.body).to.include({ type: "sent", sequence: 7 });
    other?.send({ body: { type: "sent", sequence: 8, gone: [] } });
    expect((await stream.next())?.body).to.include({ sequence: 8 });
    await stream.close();
    expect(await other?.next()).to.equal(undefined);
    expect(await other?.closed).to.equal(undefined);
  });

  it("takes a large frame that comes right behind the hello", async () => {
    const big = new Uint8Array(200_000).fill(1);
    const { listener } = await listen({
      onStream: (stream) =>
        void stream.send({ body: { type: "entryPart", total: 200_000, bytes: big } }),
    });
    const stream = await open(listener);
    const body = (await stream.next())?.body;
    expect(body?.type === "entryPart" && body.bytes.length).to.equal(200_000);
  });

  it("seals streams with TLS 1.3 under any key that is accepted, and says which", async () => {
    const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
    const { listener, served } = await listen({ keys: new StreamKeyring([oldKey, newKey], false) });
    for (const key of [oldKey, newKey]) {
      const keyring = new StreamKeyring([key], false);
      const stream = await open(listener, { keyring });
      stream.send({ body: { type: "sent", sequence: 1, gone: [] } });
      await until(() => served.length === 1);
      const other = served.pop();
      expect(other?.keyId).to.equal(keyring.ids[0]);
      expect((await other?.next())?.body).to.include({ sequence: 1 });
    }
  });

  it("answers nothing without a valid key, and counts it", async () => {
    const keys = new StreamKeyring([randomBytes(32)], false);
    const { listener, served, rejected } = await listen({ keys });
    const plain = raw(listener);
    plain.socket.write(
      encodeFrame({ type: "hello", id: clientId, cluster: "dnd", bootId: "b0".repeat(8) }),
    );
    expect((await plain.closed).length).to.equal(0);
    const stranger = await failure(
      open(listener, { keyring: new StreamKeyring([randomBytes(32)], false) }),
    );
    expect(stranger.code).to.equal("unauthenticated");
    const none = await failure(open(listener));
    expect(none.code).to.equal("unreachable");
    await until(() => rejected.length === 3);
    expect(rejected).to.deep.equal(["unauthenticated", "unauthenticated", "unauthenticated"]);
    expect(served).to.have.length(0);
  });

  it("does not let a retired key come back by resuming its session", async () => {
    const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
    const keys = new StreamKeyring([oldKey], false);
    const { listener, rejected } = await listen({ keys });
    const { first } = keys;
    const pskCallback = () => ({ psk: first?.psk ?? Buffer.alloc(0), identity: first?.id ?? "" });
    const options = { ...tlsOptions, port: listener.port, host: "127.0.0.1" };
    const checkServerIdentity = (): undefined => undefined;
    const socket = connectTls({ ...options, pskCallback, checkServerIdentity });
    let session: Buffer | undefined;
    socket.on("session", (ticket) => (session = ticket));
    socket.on("error", () => undefined);
    await once(socket, "secureConnect");
    const facts = { id: clientId, cluster: "dnd", purpose: "other", bootId: "b0".repeat(8) };
    socket.write(encodeFrame({ type: "hello", ...facts, protocolMin: 1, protocolMax: 1 }));
    await once(socket, "data");
    socket.destroy();
    keys.set([newKey], false);
    // It may or may not have got a ticket; with one it must not get in.
    const again = connectTls({
      ...options,
      session,
      checkServerIdentity,
      rejectUnauthorized: false,
    });
    again.on("error", () => undefined);
    let answer = 0;
    again.on("data", (bytes: Buffer) => (answer += bytes.length));
    again.write(encodeFrame({ type: "hello", ...facts, protocolMin: 1, protocolMax: 1 }));
    await new Promise((resolve) => again.once("close", resolve));
    expect(answer).to.equal(0);
    expect(rejected).to.include("unknown-purpose");
  });

  it("takes both while it is permissive, and falls back for a peer without keys", async () => {
    const key = randomBytes(32);
    const { listener, served } = await listen({ keys: new StreamKeyring([key], true) });
    await open(listener);
    await open(listener, { keyring: new StreamKeyring([key], false) });
    await until(() => served.length === 2);
    expect(served.map(({ keyId }) => keyId === undefined)).to.deep.equal([true, false]);
    const plain = await listen();
    const stream = await open(plain.listener, { keyring: new StreamKeyring([key], true) });
    expect(stream.keyId).to.equal(undefined);
    const strict = await failure(
      open(plain.listener, { keyring: new StreamKeyring([key], false) }),
    );
    expect(strict.code).to.be.oneOf(["unreachable", "unauthenticated"]);
  });

  it("tells a wrong cluster, node or purpose why (RULES 13)", async () => {
    const { listener, rejected } = await listen();
    const cluster = await failure(open(listener, { local: hello(clientId, "staging") }));
    expect(cluster.code).to.equal("wrong-cluster");
    expect(cluster.message).to.contain("staging").and.to.contain('"dnd"');
    const node = await failure(open(listener, { target: "77".repeat(16) }));
    expect(node.code).to.equal("wrong-node");
    const purpose = await failure(open(listener, { purpose: "other" }));
    expect(purpose.refusal?.code).to.equal("unknown-purpose");
    expect(rejected).to.deep.equal(["wrong-cluster", "wrong-node", "unknown-purpose"]);
  });

  it("refuses another protocol version", async () => {
    const { listener, rejected } = await listen();
    const { socket, closed } = raw(listener);
    const facts = { id: clientId, cluster: "dnd", purpose: "test", bootId: "b0".repeat(8) };
    socket.write(encodeFrame({ type: "hello", ...facts, protocolMin: 90, protocolMax: 91 }));
    socket.on("end", () => socket.end());
    expect((await closed).toString("latin1")).to.contain("wrong-version");
    expect(rejected).to.deep.equal(["wrong-version"]);
  });

  it("drops garbage, huge lengths and other frames before the hello, without an answer", async () => {
    const { listener, rejected, served } = await listen();
    const attacks = [
      randomBytes(64).fill(0, 0, 2),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.from([0, 4, 0, 0]), // 256 KiB announced by a stranger
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
      Buffer.from(encodeFrame({ type: "sent", sequence: 1, gone: [] })),
      Buffer.from([0, 0, 0, 0]),
    ];
    for (const attack of attacks) {
      const { socket, closed } = raw(listener);
      socket.write(attack);
      expect((await closed).length, attack.toString("hex")).to.equal(0);
    }
    expect(rejected).to.have.length(attacks.length);
    expect(served).to.have.length(0);
    await open(listener); // and serves on
  });

  it("cuts who says no hello in time: silent, byte by byte, half open", async () => {
    const { listener, rejected } = await listen({ helloTimeoutMs: 200 });
    const silent = raw(listener);
    const slow = raw(listener);
    const halfOpen = raw(listener);
    halfOpen.socket.end(Buffer.from([0]));
    const drip = setInterval(() => slow.socket.write(Buffer.from([0])), 20);
    slow.socket.write(Buffer.from([0, 0, 1, 0]));
    await Promise.all([silent.closed, slow.closed, halfOpen.closed]);
    clearInterval(drip);
    await until(() => rejected.length === 3);
    expect(rejected.toSorted()).to.deep.equal(["malformed", "timeout", "timeout"]);
  });

  it("cuts the oldest stranger when there are too many, and never serves more than its bound", async () => {
    const { listener, rejected } = await listen({ maxStrangers: 4, maxConnections: 6 });
    const strangers = Array.from({ length: 6 }, () => raw(listener));
    await until(() => rejected.length === 2);
    expect(rejected).to.deep.equal(["too-many", "too-many"]);
    await open(listener); // one more stranger is cut in its place
    for (const { socket } of strangers) socket.destroy();
    await until(() => listener.counters.accepted === 1);
    const more = await Promise.allSettled(Array.from({ length: 8 }, () => open(listener)));
    const served = more.filter(({ status }) => status === "fulfilled").length;
    expect(served).to.be.lessThan(6);
    expect(listener.streams.length).to.be.at.most(6);
  });

  it("cuts the oldest stream of a member that opens too many, and nobody else's", async () => {
    const { listener, served, rejected } = await listen({ maxPerPeer: 3 });
    const other = await open(listener, { local: hello("0e".repeat(16)) });
    for (let n = 0; n < 10; n += 1) await open(listener);
    await until(() => served.length === 11 && listener.streams.length === 4);
    expect(rejected).to.deep.equal(Array.from({ length: 7 }, () => "too-many"));
    const open3 = served.filter(({ isOpen, peer }) => isOpen && peer.id === clientId);
    expect(open3).to.deep.equal(served.slice(-3));
    expect(other.isOpen).to.equal(true);
  });

  it("cuts a peer that stalls in the middle of a frame", async () => {
    const { listener, served } = await listen({ limits: streamLimits(200) });
    const { socket, closed } = raw(listener);
    const range = { protocolMin: 1, protocolMax: 1, bootId: "b0".repeat(8) };
    socket.write(
      encodeFrame({ type: "hello", id: clientId, cluster: "dnd", purpose: "test", ...range }),
    );
    await until(() => served.length === 1);
    socket.write(Buffer.from([0, 0, 1, 0, 1, 2, 3]));
    const error = await failure(served[0]?.next() ?? Promise.resolve());
    expect(error.code).to.equal("timeout");
    await closed;
  });

  it("cuts a peer that does not read, and holds back a sender that asks", async () => {
    const { listener, served } = await listen({ limits: streamLimits(300) });
    const stream = await open(listener, { limits: streamLimits(300) });
    await until(() => served.length === 1);
    const bytes = new Uint8Array(200_000);
    let sent = 0;
    const send = (): boolean =>
      stream.send({ body: { type: "entryPart", offset: sent++, total: 1 << 24, bytes } });
    const error = await failure(
      (async () => {
        for (let n = 0; n < 1_000; n++) if (!send()) await stream.drained();
      })(),
    );
    expect(error.code).to.equal("timeout");
    expect(sent).to.be.lessThan(100);
    expect(stream.isOpen).to.equal(false);
  });

  it("cuts a sender that ignores the backpressure, at a bound", async () => {
    const { listener, served } = await listen();
    const stream = await open(listener);
    await until(() => served.length === 1);
    const bytes = new Uint8Array(250_000);
    for (let n = 0; n < 200; n++)
      stream.send({ body: { type: "entryPart", total: 1 << 24, bytes } });
    expect((await stream.closed)?.code).to.equal("overflow");
  });

  it("carries 32 MB with backpressure on both sides", async () => {
    const { listener, served } = await listen();
    const stream = await open(listener);
    await until(() => served.length === 1);
    const bytes = new Uint8Array(160_000).fill(7);
    const sending = (async () => {
      for (let n = 0; n < 200; n++) {
        const body = { type: "entryPart", offset: n, total: 1 << 24, bytes } as const;
        if (!stream.send({ body })) await stream.drained();
      }
      await stream.close();
    })();
    let received = 0;
    for await (const { body } of served[0]?.frames ?? []) {
      if (body?.type === "entryPart" && body.offset === received) received += 1;
    }
    await sending;
    expect(received).to.equal(200);
  });

  it("gives up in time on a peer that accepts and says nothing", async () => {
    const mute = createServer((socket) => void socket.resume());
    mute.listen(0, "127.0.0.1");
    await once(mute, "listening");
    const address = `127.0.0.1:${(mute.address() as { port: number }).port}`;
    const options = { local: hello(clientId), limits: streamLimits(200), purpose: "test", address };
    const keyring = new StreamKeyring([], false);
    const opening = openPeerStream({ ...options, keyring, timeoutMs: 100, signals: [] });
    expect((await failure(opening)).code).to.equal("timeout");
    const abort = new AbortController();
    const aborted = openPeerStream({
      ...options,
      keyring,
      timeoutMs: 5_000,
      signals: [abort.signal],
    });
    abort.abort();
    expect((await failure(aborted)).code).to.equal("closed");
    await new Promise((resolve) => mute.close(resolve));
    const refused = openPeerStream({ ...options, keyring, timeoutMs: 1_000, signals: [] });
    expect((await failure(refused)).code).to.equal("connection-refused");
  });
});
