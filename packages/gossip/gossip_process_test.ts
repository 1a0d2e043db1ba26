import { expect } from "chai";
import { NodeProcess, until } from "./_test_utils.ts";
import { GossipNode } from "./gossip_node.ts";
import type { GossipNodeOptions } from "./gossip_options.ts";

const full = process.env["DND_FULL"] === "1";
// The short run uses the fast preset, the full run the one of a data centre and the times of issue 4.
const profile = full ? "lan" : "local";

describe("GossipNode on real processes", () => {
  const nodes: GossipNode[] = [];
  const processes: NodeProcess[] = [];

  async function startNode(options: GossipNodeOptions = {}): Promise<GossipNode> {
    const node = new GossipNode({ profile, thread: "main", ...options });
    nodes.push(node);
    await node.start();
    return node;
  }

  function spawnNode(options: GossipNodeOptions = {}): Promise<NodeProcess> {
    const child = new NodeProcess({ profile, ...options });
    processes.push(child);
    return child.ready();
  }

  /** What each node heard of one member since now. */
  function watch(watchers: readonly GossipNode[], id: string): Map<GossipNode, string[]> {
    const heard = new Map<GossipNode, string[]>(watchers.map((node) => [node, []]));
    for (const node of watchers) {
      node.onEvent(({ type, member }) => {
        if (member.id === id) heard.get(node)?.push(type);
      });
    }
    return heard;
  }

  const allHeard = (heard: Map<GossipNode, string[]>, type: string): boolean =>
    [...heard.values()].every((types) => types.includes(type));

  afterEach(async () => {
    await Promise.all(processes.splice(0).map((child) => child.kill()));
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
  });

  it("20 nodes: all others know when one is killed", async () => {
    const first = await startNode();
    const seeds = [first.address];
    const others = full
      ? await Promise.all(Array.from({ length: 18 }, () => spawnNode({ seeds })))
      : await Promise.all(Array.from({ length: 18 }, () => startNode({ seeds })));
    const victim = await spawnNode({ seeds });
    await until(() => first.members().length === 20, { ms: 30_000 });
    await until(() => nodes.every((node) => node.members().length === 20), { ms: 30_000 });
    const heard = watch(nodes, victim.id);
    const killedAt = performance.now();
    const times: number[] = [];
    const children = others.filter((other) => other instanceof NodeProcess);
    for (const node of nodes) {
      node.onEvent(({ type, member }) => {
        if (type === "dead" && member.id === victim.id) times.push(performance.now() - killedAt);
      });
    }
    await victim.kill();
    const dead = (child: NodeProcess): boolean =>
      child.events.some(({ type, id }) => type === "dead" && id === victim.id);
    await until(() => allHeard(heard, "dead") && children.every(dead), { ms: 60_000 });
    const [firstMs, lastMs] = [Math.min(...times), performance.now() - killedAt];
    console.log(
      `      20 nodes (${profile}), one killed: first knew after ${firstMs.toFixed(0)} ms, all after ${lastMs.toFixed(0)} ms`,
    );
    const alive = first.members().filter(({ state }) => state === "alive");
    expect(alive).to.have.length(19);
  });

  it("a blocked main thread: nobody declares it dead, everybody sees it stalled (RULES 15)", async () => {
    const a = await startNode();
    const seeds = [a.address];
    const b = await startNode({ seeds });
    const blocked = await spawnNode({ seeds });
    await until(() => [a, b].every((node) => node.member(blocked.id)?.state === "alive"));
    const heard = watch([a, b], blocked.id);
    const ms = full ? 5_000 : 1_500;
    blocked.tell({ block: ms });
    await until(() => allHeard(heard, "stalled"), { ms, what: "everybody sees it stalled" });
    expect([a, b].map((node) => node.member(blocked.id)?.stalled)).to.deep.equal([true, true]);
    await blocked.take("unblocked");
    await until(() => allHeard(heard, "resumed"));
    for (const types of heard.values()) expect(types).to.not.include.oneOf(["suspect", "dead"]);
    expect(
      blocked.events.filter(({ type }) => type === "dead" || type === "suspect"),
    ).to.deep.equal([]);
  });

  it("a stopped process is declared dead and comes back by itself (SIGSTOP, SIGCONT)", async () => {
    const a = await startNode();
    const seeds = [a.address];
    const b = await startNode({ seeds });
    const frozen = await spawnNode({ seeds });
    await until(() => [a, b].every((node) => node.member(frozen.id)?.state === "alive"));
    const heard = watch([a, b], frozen.id);
    const others = watch([a, b], b.id);
    const continueAt = performance.now() + (full ? 20_000 : 0);
    frozen.child.kill("SIGSTOP");
    await until(() => allHeard(heard, "dead"), { ms: 60_000 });
    await until(() => performance.now() > continueAt, { ms: 30_000 });
    frozen.child.kill("SIGCONT");
    await until(() => [a, b].every((node) => node.member(frozen.id)?.state === "alive"), {
      ms: 20_000,
      what: "it is alive again",
    });
    // The one that was frozen accuses nobody to death because of what it missed.
    await until(() => frozen.events.length > 0);
    expect(frozen.events.filter(({ type }) => type === "dead")).to.deep.equal([]);
    for (const types of others.values()) expect(types).to.not.include("dead");
  });

  it("a blocked host: updates beyond 8 MiB are dropped, counted and said (RULES 15)", async function () {
    if (!full) {
      console.log("      skipped: needs ten seconds of flooding (full run); see ReportQueue");
      this.skip();
    }
    const a = await startNode();
    const blocked = await spawnNode({ seeds: [a.address] });
    const flooder = await spawnNode({ seeds: [a.address] });
    await until(() => a.members().length === 3);
    await until(() => flooder.events.some(({ id }) => id === blocked.id));
    let dropped = false;
    a.onSummary(({ from, summary }) => {
      if (from === blocked.id) dropped ||= (summary.flags & 4) !== 0;
    });
    blocked.tell({ block: 12_000 });
    flooder.tell({ flood: [blocked.id], bytes: 1_100, ms: 10_000 });
    const { flooded = 0 } = await flooder.take("flooded");
    await blocked.take("unblocked");
    blocked.tell({ counters: true });
    const { counters, updates = 0, dropped: marked } = await blocked.take("counters");
    const lost = counters?.updatesDropped ?? 0;
    expect(flooded).to.be.greaterThan(8_000);
    expect(updates).to.be.at.most((8 << 20) / 1_100);
    expect(lost).to.be.greaterThan(0);
    expect(marked).to.equal(true);
    await until(() => dropped, { what: "its pings say dropped" });
  });
});
