/**
 * Calling those who are no live members, for ever and at constant load (RULES 20): seeds, the dead, and
 * at the start those remembered from before. That is what heals a cluster after any partition, and lets
 * a node join whenever its seed comes up.
 */
import { MEMBER_VOLATILE } from "@dnd/protocol";
import { MAX_SEEDS } from "./seed_watch.ts";
import type { Calls } from "./swim_calls.ts";
import type { Exchanger } from "./swim_exchanger.ts";
import type { SwimContext } from "./swim_context.ts";
import type { MemberRecord } from "./swim_members.ts";

const maxAddresses = 64;
const firstCalls = 5;
/** That a seed has answered is said again after so long: a host that was blocked may have missed it. */
const sayAgainMs = 600_000;

/** See the head of this file. */
export class Caller {
  #context: SwimContext;
  #calls: Calls;
  #exchanger: Exchanger;
  #seeds: string[] = [];
  #nextSeed = 0;
  #seedMembers: Map<string, MemberRecord> = new Map();
  #saidAt: Map<string, number> = new Map();
  #joined = false;
  #forget: (record: MemberRecord) => void;

  constructor(
    context: SwimContext,
    parts: { readonly calls: Calls; readonly exchanger: Exchanger },
    forget: (record: MemberRecord) => void,
  ) {
    this.#context = context;
    this.#calls = parts.calls;
    this.#exchanger = parts.exchanger;
    this.#forget = forget;
  }

  /** Starts the periods and calls whoever is known. */
  start(): void {
    const context = this.#context;
    this.#scheduleDead();
    this.#scheduleSeed();
    const known = [...context.table.up, ...context.table.down];
    for (let calls = 0; calls < firstCalls && known.length > 0; calls += 1) {
      const [record] = known.splice(Math.floor(context.prng() * known.length), 1);
      if (record !== undefined) this.#callMember(record);
    }
    this.addSeeds(context.options.seeds ?? []);
  }

  /** Calls further seeds at once, and from now on. */
  addSeeds(seeds: readonly string[]): void {
    for (const seed of seeds) {
      this.#saidAt.delete(seed); // whoever names it now has not heard that it answered before
      if (this.#seeds.includes(seed) || this.#seeds.length >= MAX_SEEDS) continue;
      this.#seeds.push(seed);
    }
    for (const seed of seeds.slice(0, MAX_SEEDS)) this.#resolve(seed);
  }

  /** The driver resolved a seed: calls one of its addresses, at random, that is no live member. */
  handleResolved(seed: string, addresses: readonly string[]): void {
    const context = this.#context;
    if (context.phase !== "running") return;
    if (addresses.length === 0) {
      context.notify({ type: "seed", seed, reason: "unresolved" });
      return;
    }
    const live = this.#liveAddresses();
    const candidates = addresses.slice(0, maxAddresses).filter((address) => !live.has(address));
    const address = candidates[Math.floor(context.prng() * candidates.length)];
    if (address === undefined) {
      this.#noteAnswered(seed);
      return;
    }
    context.counters.callsToSeeds += 1;
    this.#calls.call(
      { address },
      {
        answered: (id) => this.#answered(id),
        silent: () => context.notify({ type: "seed", seed, reason: "silent" }),
      },
    );
  }

  /** A member was heard directly. */
  heard(): void {
    if (this.#joined) return;
    this.#joined = true;
    this.#context.notify({ type: "joined", generation: this.#context.self.member.generation });
  }

  #scheduleDead(): void {
    const context = this.#context;
    context.schedule(context.timing.deadIntervalMs, () => {
      if (context.phase === "ending" || context.phase === "ended") return;
      this.#scheduleDead();
      if (context.phase !== "running") return;
      this.#forgetOld();
      const { down } = context.table;
      if (down.length === 0 || context.prng() >= down.length / context.upCount) return;
      const record = down[Math.floor(context.prng() * down.length)];
      if (record === undefined) return;
      context.counters.callsToDead += 1;
      this.#callMember(record);
    });
  }

  /** While nobody is known a seed is called each second, else each `seedIntervalMs`. */
  #scheduleSeed(): void {
    const context = this.#context;
    const { seedIntervalMs } = context.timing;
    const wait = context.table.up.length === 0 ? Math.min(1_000, seedIntervalMs) : seedIntervalMs;
    context.schedule(wait * (0.9 + 0.2 * context.prng()), () => {
      if (context.phase === "ending" || context.phase === "ended") return;
      this.#scheduleSeed();
      if (context.phase !== "running" || this.#seeds.length === 0) return;
      for (let tries = this.#seeds.length; tries > 0; tries -= 1) {
        const seed = this.#seeds[this.#nextSeed % this.#seeds.length] as string;
        this.#nextSeed += 1;
        if (this.#isLive(seed)) {
          this.#noteAnswered(seed);
          continue;
        }
        this.#resolve(seed);
        return;
      }
    });
  }

  /** All of a seed's addresses are those of live members, or our own. */
  #noteAnswered(seed: string): void {
    const { now } = this.#context;
    const saidAt = this.#saidAt.get(seed);
    if (saidAt !== undefined && now - saidAt < sayAgainMs) return;
    this.#saidAt.set(seed, now);
    this.#context.notify({ type: "seed", seed, reason: "answered" });
  }

  #resolve(seed: string): void {
    this.#context.emit({ type: "resolve", seed });
  }

  #callMember(record: MemberRecord): void {
    const { address } = record.member;
    this.#calls.call({ address, id: record.id }, { answered: (id) => this.#answered(id) });
  }

  /** Somebody answered a call: tell it of us (it did not have to know us), and merge the tables. */
  #answered(id: string): void {
    const context = this.#context;
    const record = context.table.get(id);
    if (record === undefined || record === context.self || record.bootId === "") return;
    record.introduced = false;
    const claims = [context.self.member];
    if (record.member.state !== "alive") claims.push(record.member);
    context.send(context.destination(record), undefined, { claims });
    this.#exchanger.heal(record);
  }

  /** Whether a live member, or this node, has the seed as its address. */
  #isLive(seed: string): boolean {
    const last = this.#seedMembers.get(seed);
    if (last !== undefined && last.upPlace >= 0 && last.member.address === seed) return true;
    const { self, table } = this.#context;
    const record = table.up.find((other) => other.member.address === seed);
    if (record !== undefined) this.#seedMembers.set(seed, record);
    return record !== undefined || self.member.address === seed;
  }

  #liveAddresses(): Set<string> {
    const live = new Set([this.#context.self.member.address]);
    for (const record of this.#context.table.up) live.add(record.member.address);
    return live;
  }

  /** RULES 3: volatile members after an hour, others when the operator wants it. */
  #forgetOld(): void {
    const { table, options, now } = this.#context;
    const limit = options.forgetAfterMs;
    for (const record of [...table.down]) {
      if (record.member.state !== "dead") continue;
      const volatile = (record.member.flags & MEMBER_VOLATILE) !== 0;
      const after = volatile ? Math.min(3_600_000, limit ?? 3_600_000) : limit;
      if (after !== undefined && now - record.changedAt >= after) this.#forget(record);
    }
  }
}
