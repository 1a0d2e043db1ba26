import type { HeldBack } from "@dnd/replication";
import { Counter, Gauge, Registry } from "prom-client";
import type { NodeCore } from "../node_core.ts";
import type { ClusterLink } from "../peer/cluster_link.ts";
import type { RequestObserver } from "./http_context.ts";
import { Durations } from "./durations.ts";
import type { WatchHub } from "./watch_hub.ts";

/** What the metrics speak of. */
export interface NodeMetricsParts {
  readonly node: NodeCore;
  readonly link: ClusterLink;
  readonly hub: WatchHub;
}

interface RequestCount {
  readonly route: string;
  readonly method: string;
  readonly status: number;
  count: number;
}

/** Prometheus metrics of one node, in a registry of its own: ten nodes in a process do not mix. */
export class NodeMetrics implements RequestObserver {
  readonly #registry: Registry = new Registry();
  readonly #requests: Counter<"route" | "method" | "status">;
  readonly #seconds: Durations = new Durations();
  readonly #parts: NodeMetricsParts;
  /** Counts are plain numbers until the metrics are asked for: labels cost a hash each time. */
  readonly #counts = new Map<string, Map<string, Map<number, RequestCount>>>();
  readonly #gauges = new Map<string, Gauge<string>>();

  /** @param parts read when the metrics are asked for */
  constructor(parts: NodeMetricsParts) {
    this.#parts = parts;
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: "dnd_http_requests_total",
      help: "Requests answered",
      labelNames: ["route", "method", "status"] as const,
      registers,
    });
    this.#registry.registerMetric(this.#seconds.metric());
  }

  answered(route: string, method: string, status: number, elapsedMs: number): void {
    let methods = this.#counts.get(route);
    if (methods === undefined) {
      methods = new Map<string, Map<number, RequestCount>>();
      this.#counts.set(route, methods);
    }
    let statuses = methods.get(method);
    if (statuses === undefined) {
      statuses = new Map<number, RequestCount>();
      methods.set(method, statuses);
    }
    const known = statuses.get(status);
    if (known === undefined) statuses.set(status, { route, method, status, count: 1 });
    else known.count += 1;
    this.#seconds.observe(route, elapsedMs);
  }

  /** The metrics as text. */
  async text(): Promise<{ readonly contentType: string; readonly text: string }> {
    for (const methods of this.#counts.values()) {
      for (const statuses of methods.values()) {
        for (const { route, method, status, count } of statuses.values()) {
          this.#requests.inc({ route, method, status: String(status) }, count);
        }
      }
    }
    this.#counts.clear();
    this.#set("dnd_info", "1, with the node's id and version", 1, {
      node: this.#parts.node.id,
      version: this.#parts.node.clusterInfo().version,
    });
    const { map, feed, ready, generation } = this.#parts.node;
    this.#set("dnd_ready", "1 when the node is ready (rule 12)", ready ? 1 : 0);
    this.#set("dnd_generation", "One up at each start", generation);
    const { refusedByNode, ...statistics } = map.statistics();
    for (const [name, value] of Object.entries(statistics)) {
      this.#set(`dnd_map_${snake(name)}`, `${name} of the map`, value);
    }
    for (const [node, value] of Object.entries(refusedByNode)) {
      this.#set("dnd_map_refused_by_node", "Entries refused for drift", value, { node });
    }
    for (const [name, value] of Object.entries(map.engine.statistics())) {
      this.#set(`dnd_engine_${snake(name)}`, `${name} of the storage engine`, value);
    }
    const { hub, link } = this.#parts;
    this.#set("dnd_watchers", "Watches over HTTP", hub.size);
    this.#set("dnd_watchers_cut_total", "Watchers that were cut because they were slow", hub.cut);
    this.#set("dnd_feed_listeners", "Listeners of the change feed", feed.listeners);
    const states = new Map<string, number>();
    for (const { state } of link.members()) states.set(state, (states.get(state) ?? 0) + 1);
    for (const state of ["alive", "suspect", "stopped", "dead", "left", "forgotten"]) {
      const count = states.get(state) ?? 0;
      this.#set("dnd_members", "Members by state, this node included", count, { state });
    }
    this.#setHeldBack(link.heldBack);
    for (const [name, value] of Object.entries(await link.figures())) {
      this.#set(`dnd_${snake(name)}`, `${name}`, value);
    }
    const { rss, heapUsed } = process.memoryUsage();
    this.#set("process_resident_memory_bytes", "Resident memory", rss);
    this.#set("process_heap_used_bytes", "Memory of JavaScript objects", heapUsed);
    this.#set("process_uptime_seconds", "Time since the start of the process", process.uptime());
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  /** Rule 10: names the member; who does not hold back any more is not shown any more. */
  #setHeldBack(heldBack: HeldBack | undefined): void {
    const name = "dnd_horizon_held_back_seconds";
    this.#gauges.get(name)?.reset();
    if (heldBack === undefined) return;
    const { member, reason, since } = heldBack;
    const help = "How long this member has kept deletes from being forgotten (rule 10)";
    const seconds = Math.max(0, this.#parts.node.now() - since) / 1000;
    this.#set(name, help, seconds, { member, reason });
  }

  #set(
    name: string,
    help: string,
    value: number,
    labels: Readonly<Record<string, string>> = {},
  ): void {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({
        name,
        help,
        labelNames: Object.keys(labels),
        registers: [this.#registry],
      });
      this.#gauges.set(name, gauge);
    }
    if (Number.isFinite(value)) gauge.set(labels, value);
  }
}

function snake(name: string): string {
  return name
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
