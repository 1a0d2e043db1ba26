// A UDP and TCP proxy that delays, reorders and duplicates: what `tc netem` would do on kernels that
// have it. It stands before one node, which advertises the address of the proxy.
//
// Datagrams: each sender gets an upstream socket of its own, as behind a NAT, so that an answer finds
// its way back. A random delay for each datagram reorders by itself.
// Streams: bytes arrive late but in order, as TCP gives them; a stream may be cut in the middle.
import dgram from "node:dgram";
import net from "node:net";

/**
 * @typedef {object} Faults
 * @property {number} delayMs least delay of everything, milliseconds
 * @property {number} jitterMs a random part on top; reorders datagrams
 * @property {number} duplicate share of datagrams sent twice, 0 to 1
 * @property {number} drop share of datagrams dropped, 0 to 1
 * @property {number} cut chance that a stream is cut at a chunk, 0 to 1
 */

/** No fault at all. @type {Faults} */
export const clean = { delayMs: 0, jitterMs: 0, duplicate: 0, drop: 0, cut: 0 };

const maxSenders = 1024;
const idleMs = 30_000;

export class FaultProxy {
  /** @type {Faults} */
  faults = clean;
  counts = { datagrams: 0, dropped: 0, duplicated: 0, streams: 0, cut: 0 };
  /** @type {Map<string, { socket: dgram.Socket, last: number }>} */
  #senders = new Map();
  /** @type {Set<net.Socket>} */
  #sockets = new Set();
  /** @type {Set<NodeJS.Timeout>} */
  #timers = new Set();

  /**
   * @param {{ address: string, port: number, target: { address: string, port: number }, random: () => number }} options
   */
  constructor({ address, port, target, random }) {
    this.address = address;
    this.port = port;
    this.target = target;
    this.random = random;
    this.udp = dgram.createSocket("udp4");
    this.tcp = net.createServer((client) => this.#stream(client));
  }

  async listen() {
    await new Promise((resolve, reject) => {
      this.udp.once("error", reject);
      this.udp.bind(this.port, this.address, () => resolve(undefined));
    });
    this.udp.on("error", () => {});
    this.udp.on("message", (bytes, from) => this.#datagram(bytes, from));
    await new Promise((resolve, reject) => {
      this.tcp.once("error", reject);
      this.tcp.listen(this.port, this.address, () => resolve(undefined));
    });
  }

  close() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.udp.close();
    for (const { socket } of this.#senders.values()) socket.close();
    this.tcp.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** @param {() => void} act */
  #later(act) {
    const { delayMs, jitterMs } = this.faults;
    const wait = delayMs + this.random() * jitterMs;
    if (wait < 1) return act();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, wait);
    this.#timers.add(timer);
  }

  /** One datagram on its way, either direction. @param {() => void} send */
  #pass(send) {
    this.counts.datagrams += 1;
    if (this.random() < this.faults.drop) {
      this.counts.dropped += 1;
      return;
    }
    this.#later(send);
    if (this.random() < this.faults.duplicate) {
      this.counts.duplicated += 1;
      this.#later(send);
    }
  }

  /** @param {Buffer} bytes @param {dgram.RemoteInfo} from */
  #datagram(bytes, from) {
    const sender = this.#sender(from);
    sender.last = Date.now();
    this.#pass(() => this.#send(sender.socket, bytes, this.target.port, this.target.address));
  }

  /** @param {dgram.RemoteInfo} from */
  #sender(from) {
    const name = `${from.address}:${from.port}`;
    const known = this.#senders.get(name);
    if (known !== undefined) return known;
    if (this.#senders.size >= maxSenders) {
      for (const [old, { socket, last }] of this.#senders) {
        if (Date.now() - last < idleMs) continue;
        socket.close();
        this.#senders.delete(old);
      }
    }
    const socket = dgram.createSocket("udp4");
    socket.on("error", () => {});
    socket.on("message", (answer) =>
      this.#pass(() => this.#send(this.udp, answer, from.port, from.address)),
    );
    socket.bind(0, this.address);
    const made = { socket, last: Date.now() };
    this.#senders.set(name, made);
    return made;
  }

  /** @param {dgram.Socket} socket @param {Buffer} bytes @param {number} port @param {string} address */
  #send(socket, bytes, port, address) {
    try {
      socket.send(bytes, port, address, () => {});
    } catch {
      // the socket was closed while the datagram waited
    }
  }

  /** @param {net.Socket} client */
  #stream(client) {
    this.counts.streams += 1;
    const upstream = net.connect({ ...this.target, host: this.target.address });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      this.#sockets.add(from);
      let turn = Promise.resolve();
      /** @param {() => void} act */
      const inOrder = (act) => {
        turn = turn.then(
          () => new Promise((resolve) => this.#later(() => (act(), resolve(undefined)))),
        );
      };
      from.on("data", (chunk) => {
        if (this.random() < this.faults.cut) {
          this.counts.cut += 1;
          client.destroy();
          upstream.destroy();
          return;
        }
        from.pause();
        inOrder(() => {
          if (!to.destroyed) to.write(chunk);
          from.resume();
        });
      });
      from.on("end", () => inOrder(() => to.end()));
      from.on("error", () => to.destroy());
      from.on("close", () => this.#sockets.delete(from));
    }
  }
}
