import { type ChildProcess, fork } from "node:child_process";
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
  condition: () => boolean,
  options: { ms?: number; what?: string } = {},
): Promise<void> {
  const { ms = 10_000, what = condition.toString() } = options;
  const deadline = Date.now() + ms;
  while (!condition()) {
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
