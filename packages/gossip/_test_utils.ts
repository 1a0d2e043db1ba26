import { type ChildProcess, fork } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { GossipCounters } from "./gossip_node.ts";
import type { GossipNodeOptions } from "./gossip_options.ts";

/**
 * Waits for a condition, with a deadline.
 *
 * @param condition asked every few milliseconds
 * @param options `ms`: the deadline, default 10 s; `what`: named in the error
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  options: { ms?: number; what?: string } = {},
): Promise<void> {
  const { ms = 10_000, what = condition.toString() } = options;
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise<void>((resolve) => void setTimeout(resolve, 5));
  }
}

/** What a process of `testdata/gossip_process.mjs` says. */
export interface NodeProcessMessage {
  started?: { id: string; address: string };
  event?: { type: string; id: string; self: boolean; at: number };
  unblocked?: number;
  flooded?: number;
  counters?: GossipCounters;
  updates?: number;
  dropped?: boolean;
}

/** A `GossipNode` in a process of its own. */
export class NodeProcess {
  readonly child: ChildProcess;
  id = "";
  address = "";
  /** Events about others, in their order. */
  readonly events: { type: string; id: string }[] = [];
  readonly #messages: NodeProcessMessage[] = [];

  /** Starts it; `ready()` waits for its ports. */
  constructor(options: GossipNodeOptions) {
    this.child = fork(
      new URL("../testdata/gossip_process.mjs", import.meta.url),
      [new URL("./mod.js", import.meta.url).href, JSON.stringify(options)],
      { stdio: ["ignore", "inherit", "inherit", "ipc"] },
    );
    this.child.on("message", (message: NodeProcessMessage) => {
      if (message.event === undefined) this.#messages.push(message);
      else if (!message.event.self) this.events.push(message.event);
    });
  }

  async ready(): Promise<this> {
    const { started } = await this.take("started");
    this.id = started?.id ?? "";
    this.address = started?.address ?? "";
    return this;
  }

  /** Waits for the next message with this field. */
  async take(field: keyof NodeProcessMessage, ms = 15_000): Promise<NodeProcessMessage> {
    const find = (): number => this.#messages.findIndex((message) => message[field] !== undefined);
    await until(() => find() >= 0, { ms, what: `the process says ${field}` });
    return this.#messages.splice(find(), 1)[0] ?? {};
  }

  tell(message: object): void {
    this.child.send(message);
  }

  /** Ends the process, whatever it does. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exit;
  }
}

const dnsTypes: Record<number, string> = { 1: "A", 28: "AAAA", 33: "SRV" };

/** The data of an SRV record. */
export function dnsSrv(port: number, target: string): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(port, 4);
  const labels = target
    .split(".")
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([head, ...labels, Buffer.alloc(1)]);
}

/** A name server on loopback that knows a few records. */
export class DnsServer {
  /** By type and name, for example `A n1.example.org`. */
  readonly records: Map<string, Buffer[]> = new Map<string, Buffer[]>();
  readonly #socket: Socket;

  static async start(): Promise<DnsServer> {
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    await once(socket, "listening");
    return new DnsServer(socket);
  }

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (query, from) =>
      socket.send(this.#answer(query), from.port, from.address),
    );
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): void {
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const question = query.subarray(12, at + 5);
    const type = query.readUInt16BE(at + 1);
    const found = this.records.get(`${dnsTypes[type] ?? type} ${labels.join(".")}`) ?? [];
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(found.length > 0 ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(found.length, 6);
    const answers = found.map((data) => {
      const record = Buffer.alloc(12);
      record.writeUInt16BE(0xc00c, 0);
      record.writeUInt16BE(type, 2);
      record.writeUInt16BE(1, 4);
      record.writeUInt16BE(data.length, 10);
      return Buffer.concat([record, data]);
    });
    return Buffer.concat([head, question, ...answers]);
  }
}
