/**
 * Everything that arrives is hostile: wild envelopes, pages, outcomes and times go into a running `Swim`.
 * Nothing may throw, and nothing may grow beyond its bound. A million cases in the full run.
 */
import { expect } from "chai";
import type { Envelope, EnvelopeMessage, Member, MemberState } from "@dnd/protocol";
import { Prng } from "./simulation/mod.ts";
import { Swim } from "./swim.ts";
import { memberBytes } from "./swim_size.ts";
import type { Effect } from "./swim_types.ts";

const states: MemberState[] = ["alive", "suspect", "stopped", "dead", "left", "forgotten"];
const numbers = [0, 1, 2, 3, 1_000, 2 ** 24, 2 ** 31, 2 ** 32, 2 ** 48, Number.MAX_SAFE_INTEGER];
const maxMembers = 200;
const maxDead = 50;

/** A hostile member of the cluster: what it sends is well formed, and nothing else about it is right. */
class Fuzzer {
  prng: Prng;
  now = 0;
  swim: Swim;
  tokens: number[] = [];

  /** What it waits for, so that wild answers also meet a question. */
  asked: { sequence: number; id: string }[] = [];
  largestPage = 0;
  nextGeneration = 0;
  #known: string[];
  #self: string;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.#known = Array.from({ length: 20 }, () => this.prng.hex(16));
    this.#self = this.prng.hex(16);
    this.swim = new Swim(
      {
        id: this.#self,
        generation: 3,
        bootId: "0".repeat(16),
        address: "10.0.0.1:5000",
        seeds: ["10.0.0.2:5000"],
        maxMembers,
        maxDead,
      },
      { prng: this.prng.random, wall: () => 0 },
    );
    this.take(this.swim.start(0));
  }

  take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "schedule" || effect.type === "probe-stream") {
        expect(Number.isFinite(effect.token)).to.equal(true);
        this.tokens.push(effect.token);
      }
      if (effect.type === "notify") {
        const { event } = effect;
        if (event.type === "forgotten-self" || event.type === "exhausted") {
          this.nextGeneration = event.generation + 1;
        }
      }
      if (effect.type === "schedule") expect(effect.delayMs).to.be.at.least(0);
      if (effect.type !== "send") continue;
      const { message } = effect.envelope;
      if (message?.type !== "ping" && message?.type !== "pingRequest") continue;
      this.asked.push({ sequence: message.sequence, id: effect.to.id ?? this.#id() });
    }
    if (this.asked.length > 200) this.asked.splice(0, 100);
    if (this.tokens.length > 2_000) this.tokens.splice(0, 1_000);
  }

  step(): void {
    const { prng, swim } = this;
    if (prng.chance(0.3)) this.now += prng.pick([0, 1, 50, 1_000, 60_000, -5]);
    if (this.nextGeneration > 0) {
      // It was told that it is forgotten: it comes back, so that the rest does not run on a silent one.
      const generation = this.nextGeneration;
      this.nextGeneration = 0;
      this.take(swim.raiseGeneration(generation, this.now));
    }
    switch (prng.integer(8)) {
      case 0:
        return this.take(swim.handleTimer(this.#token(), this.now));
      case 1: {
        const outcome = prng.pick(["ok", "refused", "failed"] as const);
        return this.take(swim.handleStreamProbe(this.#token(), outcome, this.now));
      }
      case 2: {
        const page = Array.from({ length: prng.integer(4) }, () => this.#member());
        return this.take(swim.mergeMembers(page, { id: this.#id() }, this.now));
      }
      case 3: {
        const addresses = Array.from({ length: prng.integer(3) }, () => this.#address());
        return this.take(swim.handleResolved(this.#address(), addresses, this.now));
      }
      case 4:
        return this.take(swim.handleRefused(this.#address(), this.now));
      default: {
        const from = {
          address: this.#address(),
          bootId: prng.pick(["0".repeat(16), prng.hex(8)]),
          directed: prng.chance(0.8),
        };
        return this.take(swim.handleMessage(this.#envelope(), from, this.now));
      }
    }
  }

  #token(): number {
    return this.tokens.length > 0 && this.prng.chance(0.9)
      ? this.prng.pick(this.tokens)
      : this.prng.pick(numbers);
  }

  #id(): string {
    if (this.prng.chance(0.1)) return this.#self;
    return this.prng.chance(0.7) ? this.prng.pick(this.#known) : this.prng.hex(16);
  }

  #address(): string {
    return this.prng.pick(["10.0.0.2:5000", "[::1]:1", "", "x".repeat(255), "10.0.0.1:5000"]);
  }

  #member(): Member {
    const { prng } = this;
    return {
      id: this.#id(),
      generation: prng.pick(numbers),
      incarnation: prng.pick(numbers),
      state: prng.pick(states),
      address: this.#address(),
      name: "",
      metadata: prng.bytes(prng.pick([0, 0, 0, 512])),
      flags: prng.integer(16),
      protocolMin: prng.integer(3),
      protocolMax: prng.integer(3),
      seen: prng.pick(numbers),
      departed: prng.pick(numbers),
      accuser: prng.pick(["", this.#id()]),
      evidence: prng.integer(32),
      bootId: prng.pick(["", prng.hex(8)]),
    };
  }

  #message(sequence: number): EnvelopeMessage | undefined {
    const { prng } = this;
    const target = prng.pick(["", this.#id()]);
    switch (prng.integer(6)) {
      case 0:
        return { type: "ping", sequence, target };
      case 1:
        return { type: "ack", sequence, target };
      case 2:
        return {
          type: "pingRequest",
          sequence,
          target: this.#id(),
          address: this.#address(),
          nack: prng.chance(0.5),
        };
      case 3:
        return { type: "nack", sequence, target: this.#id() };
      case 4:
        return { type: "refusal", code: "busy", detail: "", retryAfterMs: prng.pick(numbers) };
      default:
        return undefined;
    }
  }

  /** Half of them come from one that was asked, and answer it or pretend to. */
  #envelope(): Envelope {
    const { prng } = this;
    const asked = this.asked.length > 0 && prng.chance(0.5) ? prng.pick(this.asked) : undefined;
    const message = this.#message(asked?.sequence ?? prng.pick(numbers));
    return {
      protocolVersion: prng.pick([1, 1, 1, 0, 9]),
      cluster: prng.pick(["dnd", "dnd", "dnd", "other"]),
      senderId: asked?.id ?? this.#id(),
      generation: prng.pick(numbers),
      incarnation: prng.pick(numbers),
      wall: prng.pick(numbers),
      view: prng.pick([prng.uint32(), 0]),
      ...(message === undefined ? {} : { message }),
      members: Array.from({ length: prng.integer(4) }, () => this.#member()),
      updates: Array.from({ length: prng.integer(2) }, () => prng.bytes(5)),
      padding: 0,
    };
  }

  check(): void {
    const { swim } = this;
    const sizes = swim.sizes();
    const text = JSON.stringify(sizes);
    expect(sizes.members, text).to.be.at.most(maxMembers);
    expect(sizes.ended, text).to.be.at.most(maxDead);
    expect(sizes.waiting, text).to.be.at.most(256 + 256 + maxMembers);
    expect(sizes.rumors, text).to.be.at.most(8_192 + 512);
    expect(sizes.timers, text).to.be.at.most(10 + 5 * maxMembers + 512);
    expect(swim.accusations().length).to.be.at.most(256);
    for (const page of swim.memberPages(2_000)) {
      let bytes = 0;
      for (const member of page) bytes += memberBytes(member);
      this.largestPage = Math.max(this.largestPage, page.length > 1 ? bytes : 0);
    }
    expect(this.largestPage).to.be.at.most(2_000);
    expect(new Set(swim.members().map((member) => member.id)).size).to.equal(sizes.members);
  }
}

describe("Swim under hostile input", () => {
  const cases = process.env["DND_FULL"] === "1" ? 1_000_000 : 20_000;

  it(`throws nothing and stays in its bounds in ${cases} cases`, function () {
    this.timeout(600_000);
    const runs = 20;
    let answered = 0;
    for (let seed = 1; seed <= runs; seed += 1) {
      const fuzzer = new Fuzzer(seed);
      try {
        for (let i = 0; i < cases / runs; i += 1) {
          fuzzer.step();
          if (i % 500 === 0) fuzzer.check();
        }
        fuzzer.check();
        answered += fuzzer.swim.counters.acksReceived;
      } catch (cause) {
        throw new Error(`seed ${seed} of the fuzzer fails`, { cause });
      }
    }
    expect(answered, "wild answers that met a question").to.be.above(cases / 1_000);
  });
});
