import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { formatHostPort, parseHostPort } from "./host_port.ts";

/** The questions that a {@linkcode SeedResolver} asks; `dns.promises.Resolver` is one. */
export interface DnsQueries {
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
  resolveSrv(
    name: string,
  ): Promise<{ name: string; port: number; priority: number; weight: number }[]>;
}

/** Options of {@linkcode SeedResolver}. */
export interface SeedResolverOptions {
  /** Where names are asked. Default: a `dns.promises.Resolver` with 2 s and 2 tries a question. */
  dns?: DnsQueries;
  /** Port of a seed written without one. Default 5000. */
  defaultPort?: number;
  /** Default `/etc/hosts`; not there = no names of its own. */
  hostsFile?: string;
  /** Default `/etc/resolv.conf`, read for `search` and `ndots` only. */
  resolvFile?: string;
  /** Addresses kept of one name. Default 32. */
  maxAddresses?: number;
}

/** What became of one seed. */
export interface SeedResult {
  /** As it was asked. */
  seed: string;
  /** `host:port` with IP literals; empty when it could not be resolved. */
  addresses: string[];
  /** Why there is none, for people. */
  reason?: string;
}

/**
 * Turns seeds (`10.0.0.7:5000`, `localhost:5000`, `node-1.internal:5000`, `_dnd._udp.example.org`) into
 * addresses. Never with `dns.lookup`: that takes a thread of the libuv pool for as long as a dead name
 * server is silent, and commits of the store wait behind it (RULES 16). So names go to
 * `dns.Resolver`, one at a time, and what `dns.lookup` does beside (the hosts file, `localhost`, the search
 * list of resolv.conf that short names in a Kubernetes cluster need) is done here.
 *
 * A name that starts with `_` is asked for SRV, others for A and AAAA.
 *
 * @example
 * ```ts
 * import { SeedResolver } from "@dnd/gossip";
 * const resolver = new SeedResolver();
 * (await resolver.resolve("127.0.0.1:5000")).addresses; // ["127.0.0.1:5000"]
 * ```
 */
export class SeedResolver {
  readonly #dns: DnsQueries;
  readonly #options: SeedResolverOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: SeedResolverOptions = {}) {
    this.#options = options;
    this.#dns = options.dns ?? new Resolver({ timeout: 2_000, tries: 2 });
  }

  /**
   * Resolves one seed. Asks again each time: names move. Only questions to a name server wait for each
   * other, so a silent one holds up no seed that needs none.
   *
   * @param seed `host:port`; the port may be left out
   * @returns never rejects; a bad seed or a silent name server is a result without addresses
   */
  async resolve(seed: string): Promise<SeedResult> {
    try {
      const { host, port } = parseHostPort(seed, this.#options.defaultPort ?? 5_000);
      const found = host.startsWith("_")
        ? await this.#service(host)
        : (await this.#host(host)).map((ip) => formatHostPort(ip, port));
      const addresses = [...new Set(found)].slice(0, this.#options.maxAddresses ?? 32);
      if (addresses.length > 0) return { seed, addresses };
      return { seed, addresses, reason: `${host} has no address` };
    } catch (error) {
      return { seed, addresses: [], reason: (error as Error).message };
    }
  }

  async #host(host: string): Promise<string[]> {
    if (isIP(host) !== 0) return [host];
    if (host === "localhost" || host.endsWith(".localhost")) return ["127.0.0.1", "::1"];
    const own = (await readOrEmpty(this.#options.hostsFile ?? "/etc/hosts"))
      .split("\n")
      .map((line) => line.replace(/#.*/, "").trim().toLowerCase().split(/\s+/))
      .filter(([ip = "", ...names]) => isIP(ip) !== 0 && names.includes(host))
      .map(([ip = ""]) => ip);
    if (own.length > 0) return own;
    let failure: unknown;
    for (const name of await this.#candidates(host)) {
      const ips: string[] = [];
      for (const question of ["resolve4", "resolve6"] as const) {
        try {
          ips.push(...(await this.#ask(() => this.#dns[question](name))));
        } catch (error) {
          failure ??= error;
        }
      }
      if (ips.length > 0) return ips.filter((ip) => isIP(ip) !== 0);
    }
    throw failure instanceof Error ? failure : new Error(`${host} has no address`);
  }

  async #service(name: string): Promise<string[]> {
    let failure: unknown;
    for (const candidate of await this.#candidates(name)) {
      try {
        const records = await this.#ask(() => this.#dns.resolveSrv(candidate));
        const sorted = records.toSorted((a, b) => a.priority - b.priority || b.weight - a.weight);
        const found: string[] = [];
        for (const record of sorted.slice(0, this.#options.maxAddresses ?? 32)) {
          const ips = await this.#host(record.name.toLowerCase()).catch(() => []);
          found.push(...ips.map((ip) => formatHostPort(ip, record.port)));
        }
        if (found.length > 0) return found;
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure instanceof Error ? failure : new Error(`${name} has no service record`);
  }

  /** One question after the other (RULES 16). */
  #ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    const answer = this.#last.then(question);
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** The name itself and the name below each search domain, in the order of resolv.conf(5). */
  async #candidates(name: string): Promise<string[]> {
    if (name.endsWith(".")) return [name.slice(0, -1)];
    let search: string[] = [];
    let ndots = 1;
    for (const line of (await readOrEmpty(this.#options.resolvFile ?? "/etc/resolv.conf")).split(
      "\n",
    )) {
      const [word, ...values] = line.trim().split(/\s+/);
      if (word === "search" || word === "domain") search = values.slice(0, 6);
      if (word !== "options") continue;
      for (const value of values) {
        if (value.startsWith("ndots:")) ndots = Math.min(15, Number(value.slice(6)) || 0);
      }
    }
    const below = search.map((domain) => `${name}.${domain.replace(/\.$/, "")}`);
    const dots = name.split(".").length - 1;
    return dots >= ndots ? [name, ...below] : [...below, name];
  }
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return "";
  }
}
