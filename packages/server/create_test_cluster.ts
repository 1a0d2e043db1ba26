import { checkOptions, stringCheck, timeoutCheck } from "@dnd/client/options";
import { createNode } from "./create_node.ts";
import { DndNode } from "./dnd_node.ts";
import type { NodeOptions } from "./node_options.ts";

/** Options of {@link createTestCluster}: those of every node, and how many there are. */
export interface TestClusterOptions extends Omit<
  NodeOptions,
  "seeds" | "port" | "dataDir" | "name"
> {
  /** How many nodes. Default 3. */
  readonly nodes?: number;
  /** Data folders, in the order of the nodes; those without one are in memory. Default: all are. */
  readonly dataDirs?: readonly string[];
  /** How long the nodes may take to find each other and be ready, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
}

/** A cluster in this process. */
export class TestCluster implements AsyncDisposable {
  readonly #nodes: DndNode[] = [];
  readonly #options: NodeOptions;
  #number = 0;
  #closed = false;

  /** Made by {@link createTestCluster}. */
  constructor(options: NodeOptions) {
    this.#options = options;
  }

  /** The nodes that run. */
  get nodes(): readonly DndNode[] {
    return this.#nodes;
  }

  /**
   * Adds a node; it has joined the others and is ready when this resolves.
   *
   * @throws {Error} when the cluster is closed
   */
  async add(
    options: { readonly dataDir?: string; readonly timeoutMs?: number } = {},
  ): Promise<DndNode> {
    checkOptions("add a node", options, { dataDir: stringCheck, timeoutMs: timeoutCheck });
    if (this.#closed) throw new Error("Cannot add a node: the cluster is closed");
    const { dataDir, timeoutMs = 30_000 } = options;
    const node = await createNode({
      ...this.#options,
      name: `test-${(this.#number += 1)}`,
      seeds: this.#nodes.map(({ address }) => address),
      ...(dataDir === undefined ? {} : { dataDir }),
    });
    this.#nodes.push(node);
    await node.ready({ timeoutMs });
    return node;
  }

  /** Stops a node, as `close()` does: it is `stopped` for the others, and may come back. */
  async stop(node: DndNode): Promise<void> {
    if (!(node instanceof DndNode)) throw new TypeError("Cannot stop: that is no node");
    const index = this.#nodes.indexOf(node);
    if (index !== -1) this.#nodes.splice(index, 1);
    await node.close();
  }

  /**
   * Resolves when all nodes hold the same entries.
   *
   * @throws {Error} when that takes longer than `timeoutMs` (default 30,000)
   */
  async settled(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    checkOptions("wait until all hold the same", options, { timeoutMs: timeoutCheck });
    const { timeoutMs = 30_000 } = options;
    await waitFor(`${this.#nodes.length} nodes to hold the same`, timeoutMs, async () => {
      const infos = await Promise.all(this.#nodes.map((node) => node.cluster()));
      return new Set(infos.map(({ digest }) => digest)).size <= 1;
    });
  }

  /** Closes all nodes. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#nodes.splice(0).map((node) => node.close()));
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Starts nodes on free loopback ports that know each other and are ready.
 *
 * @throws {Error} when they do not find each other in time; all are closed then
 * @throws {TypeError} or {RangeError} for an option that cannot be used
 */
export async function createTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  checkClusterOptions(options);
  const { nodes = 3, dataDirs = [], timeoutMs = 30_000, ...rest } = options;
  const cluster = new TestCluster({ profile: "local", thread: "main", ...rest });
  try {
    for (let index = 0; index < nodes; index += 1) {
      const dataDir = dataDirs[index];
      await cluster.add({ timeoutMs, ...(dataDir === undefined ? {} : { dataDir }) });
    }
    await waitFor(`${nodes} nodes to see each other`, timeoutMs, async () =>
      cluster.nodes.every((node) => {
        const alive = node.members().filter(({ state }) => state === "alive");
        return alive.length === nodes;
      }),
    );
    // `w: "all"` means all of them from here on.
    await waitFor(`${nodes} nodes to know that all are ready`, timeoutMs, async () =>
      // A folder may remember members of an earlier cluster: the dead count for `w`, and are not waited for.
      cluster.nodes.every((node) => node.liveTargets === nodes),
    );
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** The options of the nodes are checked by each node; these are those of the cluster. */
function checkClusterOptions(options: TestClusterOptions): void {
  const refuse = (why: string): TypeError => new TypeError(`Cannot make a test cluster: ${why}`);
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw refuse("the options are no object");
  }
  for (const name of ["seeds", "port", "name"]) {
    if (name in options) throw refuse(`each node has a ${name} of its own`);
  }
  if ("dataDir" in options) throw refuse("each node has a folder of its own: give dataDirs");
  const { nodes = 3, dataDirs }: { nodes?: unknown; dataDirs?: unknown } = options;
  if (typeof nodes !== "number") throw refuse("nodes is no number");
  if (!Number.isSafeInteger(nodes) || nodes < 1 || nodes > 100) {
    throw new RangeError(`Cannot make a test cluster: nodes is ${nodes}, write 1 to 100`);
  }
  if (dataDirs === undefined) return;
  if (!Array.isArray(dataDirs)) throw refuse("dataDirs is no array of folders");
  if (dataDirs.length > nodes) {
    const given = `dataDirs has ${dataDirs.length} folders for ${nodes} nodes`;
    throw new RangeError(`Cannot make a test cluster: ${given}`);
  }
}

async function waitFor(
  what: string,
  timeoutMs: number,
  holds: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline)
      throw new Error(`Cannot wait for ${what}: ${timeoutMs} ms are over`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
