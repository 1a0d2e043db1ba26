// Five hosts on one machine: a network namespace for each node, joined by a bridge that stands in a
// namespace of its own, where the harness runs too. Nothing outside these namespaces is touched, and
// the harness reaches every node whatever is cut between them.
//
// Faults are nft rules on the input side of each node, made anew from a small model at each change, so
// that a cut can go one way: "b does not hear a" is one rule in b.
import { execFileSync } from "node:child_process";

const prefix = "198.18.0."; // the range kept for tests of network devices

/** @param {string} file @param {string[]} args @param {string} [input] */
function run(file, args, input) {
  return execFileSync(file, args, { input, stdio: ["pipe", "pipe", "pipe"] }).toString();
}

/** Why namespaces cannot be made here, or undefined. */
export function whyNot() {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid?.() !== 0) return "needs root";
  for (const [tool, ...args] of [
    ["ip", "-V"],
    ["nft", "--version"],
  ]) {
    try {
      run(tool, args);
    } catch {
      return `needs ${tool} (Debian packages iproute2 and nftables)`;
    }
  }
  const name = `dndprobe${process.pid}`;
  try {
    run("ip", ["netns", "add", name]);
    run("ip", ["netns", "exec", name, "nft", "add", "table", "ip", "probe"]);
  } catch (error) {
    return `cannot make a network namespace with nft: ${String(error).split("\n").at(-1)}`;
  } finally {
    try {
      run("ip", ["netns", "del", name]);
    } catch {
      // it was never made
    }
  }
  return undefined;
}

export class Network {
  /** Direct faults: `${from}>${to}` is cut. @type {Set<string>} */
  #cuts = new Set();
  #lossPercent = 0;

  /** @param {string} tag @param {number} size */
  constructor(tag, size) {
    this.tag = tag;
    this.size = size;
  }

  /** The namespace of the bridge and of the harness. */
  get bridge() {
    return `${this.tag}br`;
  }

  /** @param {number} i */
  namespace(i) {
    return `${this.tag}n${i}`;
  }

  /** @param {number} i */
  address(i) {
    return `${prefix}${i + 1}`;
  }

  /** Where the fault proxy of node i listens, in the namespace of the bridge. @param {number} i */
  proxyAddress(i) {
    return `${prefix}${i + 101}`;
  }

  create() {
    const { bridge } = this;
    run("ip", ["netns", "add", bridge]);
    const inBridge = ["netns", "exec", bridge, "ip"];
    run("ip", [...inBridge, "link", "set", "lo", "up"]);
    run("ip", [...inBridge, "link", "add", "br0", "type", "bridge"]);
    run("ip", [...inBridge, "addr", "add", `${prefix}254/24`, "dev", "br0"]);
    for (let i = 0; i < this.size; i++) {
      run("ip", [...inBridge, "addr", "add", `${this.proxyAddress(i)}/24`, "dev", "br0"]);
    }
    run("ip", [...inBridge, "link", "set", "br0", "up"]);
    for (let i = 0; i < this.size; i++) {
      const name = this.namespace(i);
      run("ip", ["netns", "add", name]);
      const pair = ["link", "add", `p${i}`, "type", "veth", "peer", "name", "eth0", "netns", name];
      run("ip", [...inBridge, ...pair]);
      run("ip", [...inBridge, "link", "set", `p${i}`, "master", "br0", "up"]);
      const inside = ["netns", "exec", name, "ip"];
      run("ip", [...inside, "link", "set", "lo", "up"]);
      run("ip", [...inside, "addr", "add", `${this.address(i)}/24`, "dev", "eth0"]);
      run("ip", [...inside, "link", "set", "eth0", "up"]);
    }
  }

  destroy() {
    for (const name of [
      ...Array.from({ length: this.size }, (_, i) => this.namespace(i)),
      this.bridge,
    ]) {
      try {
        run("ip", ["netns", "del", name]);
      } catch {
        // it is gone already
      }
    }
  }

  /** Drops this share of what the nodes hear from each other. @param {number} percent */
  lose(percent) {
    this.#lossPercent = percent;
    this.#apply();
  }

  /** `to` hears nothing from `from`. @param {number} from @param {number} to */
  cutOneWay(from, to) {
    this.#cuts.add(`${from}>${to}`);
    this.#apply();
  }

  /** Nobody of one side hears anybody of the other. @param {number[]} side */
  split(side) {
    for (let i = 0; i < this.size; i++) {
      for (let j = 0; j < this.size; j++) {
        if (side.includes(i) !== side.includes(j)) this.#cuts.add(`${i}>${j}`);
      }
    }
    this.#apply();
  }

  heal() {
    this.#cuts.clear();
    this.#lossPercent = 0;
    this.#apply();
  }

  #apply() {
    for (let to = 0; to < this.size; to++) {
      const rules = [];
      for (let from = 0; from < this.size; from++) {
        if (from === to) continue;
        const source = `ip saddr ${this.address(from)}`;
        if (this.#cuts.has(`${from}>${to}`)) rules.push(`${source} drop`);
        else if (this.#lossPercent > 0) {
          rules.push(`${source} numgen random mod 100 < ${this.#lossPercent} drop`);
        }
      }
      const script = [
        "table ip chaos",
        "delete table ip chaos",
        "table ip chaos {",
        "chain in {",
        "type filter hook input priority 0; policy accept;",
        ...rules,
        "}",
        "}",
        "",
      ].join("\n");
      run("ip", ["netns", "exec", this.namespace(to), "nft", "-f", "-"], script);
    }
  }
}
