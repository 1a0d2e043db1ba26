import { expect } from "chai";
import type { Envelope, EnvelopeMessage, Member } from "@dnd/protocol";
import { MembershipError } from "./membership_error.ts";
import { Swim } from "./swim.ts";
import type { SwimOptions } from "./swim_options.ts";
import type { Effect, SendEffect, SwimEvent } from "./swim_types.ts";

/** Ids are hex: letters beyond `f` stand for digits. */
const digitOf = (letter: string): string =>
  letter <= "f" ? letter : String((letter.charCodeAt(0) - 112) % 10);
const idOf = (letter: string): string => digitOf(letter).repeat(32);
const bootOf = (letter: string): string => digitOf(letter).repeat(16);
const addressOf = (letter: string): string => `10.0.0.${letter.charCodeAt(0)}:5000`;

function member(letter: string, changes: Partial<Member> = {}): Member {
  return {
    id: idOf(letter),
    generation: 1,
    incarnation: 1,
    state: "alive",
    address: addressOf(letter),
    name: letter,
    metadata: new Uint8Array(0),
    flags: 0,
    protocolMin: 1,
    protocolMax: 1,
    seen: 0,
    departed: 0,
    accuser: "",
    evidence: 0,
    bootId: bootOf(letter),
    ...changes,
  };
}

/** Node `a` under a clock of our own: inputs in, what it wants in lists that the test reads. */
class Trace {
  now = 0;
  swim: Swim;
  sent: SendEffect[] = [];
  events: SwimEvent[] = [];
  others: Effect[] = [];
  #timers: { at: number; token: number }[] = [];
  #seed = 1;

  constructor(options: Partial<SwimOptions> = {}) {
    this.swim = new Swim(
      {
        id: idOf("a"),
        generation: 1,
        bootId: bootOf("a"),
        address: addressOf("a"),
        name: "a",
        ...options,
      },
      {
        prng: () => {
          this.#seed = (this.#seed * 16_807) % 2_147_483_647;
          return this.#seed / 2_147_483_647;
        },
        wall: () => 1_800_000_000_000 + this.now,
      },
    );
    this.perform(this.swim.start(0));
  }

  perform(effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "send") this.sent.push(effect);
      else if (effect.type === "notify") this.events.push(effect.event);
      else if (effect.type === "schedule") {
        this.#timers.push({ at: this.now + effect.delayMs, token: effect.token });
      } else this.others.push(effect);
    }
  }

  /** Lets time pass; timers fire when they are due, or all `lateMs` late. */
  pass(ms: number, lateMs = 0): void {
    const end = this.now + ms;
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at);
      const timer = this.#timers[0];
      if (timer === undefined || timer.at + lateMs > end) break;
      this.#timers.shift();
      this.now = Math.max(this.now, timer.at + lateMs);
      this.perform(this.swim.handleTimer(timer.token, this.now));
    }
    this.now = end;
  }

  hear(
    letter: string,
    message: EnvelopeMessage | undefined,
    options: Partial<Envelope> & { directed?: boolean; bootId?: string } = {},
  ): void {
    const { directed = true, bootId = bootOf(letter), ...changes } = options;
    const envelope: Envelope = {
      protocolVersion: 1,
      cluster: "dnd",
      senderId: idOf(letter),
      generation: 1,
      incarnation: 1,
      wall: 0,
      view: 0,
      ...(message === undefined ? {} : { message }),
      members: [],
      updates: [],
      padding: 0,
      ...changes,
    };
    const from = { address: addressOf(letter), bootId, directed };
    this.perform(this.swim.handleMessage(envelope, from, this.now));
  }

  /** The members are known, and nothing of it is left to look at. */
  know(...letters: string[]): void {
    this.perform(
      this.swim.mergeMembers(
        letters.map((letter) => member(letter)),
        { id: idOf("z") },
        this.now,
      ),
    );
    this.clear();
  }

  clear(): void {
    this.sent = [];
    this.events = [];
    this.others = [];
  }

  /** Packets of one kind, and to whom. */
  packets(type: EnvelopeMessage["type"] | "rumors", letter?: string): SendEffect[] {
    return this.sent.filter(
      ({ envelope, to }) =>
        (envelope.message?.type ?? "rumors") === type &&
        (letter === undefined || to.address === addressOf(letter)),
    );
  }

  /** Answers pings to these members, as often as they are sent. */
  answer(...letters: string[]): void {
    for (const letter of letters) {
      for (const ping of this.packets("ping", letter)) {
        const { message } = ping.envelope;
        if (message?.type !== "ping") continue;
        this.hear(letter, { type: "ack", sequence: message.sequence, target: "" });
      }
    }
    this.sent = this.sent.filter(({ envelope }) => envelope.message?.type !== "ping");
  }

  state(letter: string): string | undefined {
    return this.swim.member(idOf(letter))?.state;
  }

  eventTypes(): string[] {
    return this.events.map((event) => event.type);
  }

  streamProbe(): Extract<Effect, { type: "probe-stream" }> {
    const found = this.others.find((effect) => effect.type === "probe-stream");
    if (found === undefined) throw new Error("no stream probe");
    this.others = this.others.filter((effect) => effect !== found);
    return found;
  }
}

describe("new Swim()", () => {
  it("refuses options that are none", () => {
    const good = { id: "a".repeat(32), bootId: "b".repeat(16), generation: 1, address: "a:1" };
    const make = (options: unknown) => () =>
      new Swim(options as SwimOptions, { prng: () => 0.5, wall: () => 0 });
    for (const [options, message] of [
      [undefined, "no object"],
      [null, "no object"],
      [{}, "id must be 32"],
      [{ ...good, id: 7 }, "id must be 32"],
      [{ ...good, bootId: "x" }, "bootId must be 16"],
      [{ ...good, address: undefined }, "address is empty"],
      [{ ...good, generation: NaN }, "NaN is no generation"],
      [{ ...good, timing: { probeIntervalMs: 0 } }, "timing.probeIntervalMs is 0"],
    ] as const) {
      expect(make(options), message).to.throw(Error, message);
    }
  });
});

describe("Swim: joining", () => {
  it("calls its seed without knowing who is there, and tells of itself only when it was answered", () => {
    const trace = new Trace({ seeds: ["b:5000"] });
    expect(trace.others).to.deep.equal([{ type: "resolve", seed: "b:5000" }]);
    trace.perform(trace.swim.handleResolved("b:5000", [addressOf("b")], 0));
    const [call] = trace.packets("ping", "b");
    expect(call?.to).to.deep.equal({ address: addressOf("b") });
    expect(call?.envelope.members, "RULES 13: nothing that changes state").to.deep.equal([]);
    const message = call?.envelope.message;
    if (message?.type !== "ping") throw new Error("no ping");
    expect(message.target).to.equal("");
    trace.clear();
    const { sequence } = message;
    trace.hear("b", { type: "ack", sequence, target: "" }, { members: [member("b")] });
    expect(trace.eventTypes()).to.include.members(["alive", "joined"]);
    const [hello] = trace.packets("rumors", "b");
    expect(hello?.to.bootId).to.equal(bootOf("b"));
    expect(hello?.envelope.members.map((m) => m.id)).to.include(idOf("a"));
    expect(trace.others.map((effect) => effect.type)).to.include("exchange");
  });

  it("answers a ping to whoever is there, and changes no state by it (RULES 13)", () => {
    const trace = new Trace();
    const before = JSON.stringify(trace.swim.members());
    trace.clear();
    trace.hear(
      "b",
      { type: "ping", sequence: 9, target: "" },
      { directed: false, members: [member("b"), member("c")] },
    );
    expect(JSON.stringify(trace.swim.members())).to.equal(before);
    const [ack] = trace.packets("ack", "b");
    expect(ack?.to).to.deep.equal({ address: addressOf("b"), id: idOf("b"), bootId: bootOf("b") });
    expect(ack?.envelope.members.map((m) => m.id)).to.deep.equal([idOf("a")]);
    trace.clear();
    for (const message of [
      { type: "ack", sequence: 1, target: "" },
      { type: "nack", sequence: 1, target: idOf("b") },
    ] as const) {
      trace.hear("b", message, { directed: false, members: [member("b")] });
    }
    expect(trace.sent).to.deep.equal([]);
    expect(JSON.stringify(trace.swim.members())).to.equal(before);
  });

  it("does not answer a ping for somebody else", () => {
    const trace = new Trace();
    trace.clear();
    trace.hear("b", { type: "ping", sequence: 9, target: idOf("c") }, { directed: false });
    expect(trace.sent).to.deep.equal([]);
  });

  it("calls its seeds for ever, each second while it is alone", () => {
    const trace = new Trace({ seeds: ["b:5000", "c:5000"] });
    trace.clear();
    trace.pass(60_000);
    const resolves = trace.others.filter((effect) => effect.type === "resolve").length;
    expect(resolves).to.be.within(50, 70);
    trace.know("d");
    for (let i = 0; i < 610; i += 1) {
      if (i === 10) trace.others = [];
      trace.pass(100);
      trace.answer("d");
    }
    expect(trace.others.filter((effect) => effect.type === "resolve").length).to.be.within(4, 8);
  });

  it("calls the members it remembers, and does not believe their old boot ids", () => {
    const trace = new Trace({ remembered: [member("b"), member("c", { state: "dead" })] });
    const calls = trace.packets("ping");
    expect(calls.map((ping) => ping.to.id)).to.have.members([idOf("b"), idOf("c")]);
    expect(calls.every((ping) => ping.to.bootId === undefined)).to.equal(true);
    expect([trace.state("b"), trace.state("c")]).to.deep.equal(["alive", "dead"]);
  });
});

describe("Swim: probing", () => {
  it("probes all members once in each round, in a shuffled order", () => {
    const trace = new Trace();
    const letters = ["b", "c", "d", "e", "f"];
    trace.know(...letters);
    const probed: string[] = [];
    for (let period = 0; period < 10; period += 1) {
      trace.pass(1_000);
      for (const ping of trace.packets("ping")) probed.push(ping.to.id?.[0] ?? "");
      trace.answer(...letters);
    }
    const rounds = [probed.slice(0, 5), probed.slice(5, 10)];
    for (const round of rounds) expect([...round].sort()).to.deep.equal(letters);
    expect(rounds[0]).not.to.deep.equal(rounds[1]);
    expect(trace.eventTypes()).not.to.include("suspect");
  });

  it("asks others when there is no direct ack, and takes an ack through them", () => {
    const trace = new Trace();
    trace.know("b", "c");
    trace.pass(1_000);
    const target = trace.packets("ping")[0]?.to.id?.[0] ?? "";
    const helper = target === "b" ? "c" : "b";
    trace.sent = [];
    trace.pass(1_100);
    const [again] = trace.packets("ping", target);
    expect(again?.to.bootId, "it may have restarted").to.equal(undefined);
    const request = trace.packets("pingRequest", helper)[0]?.envelope.message;
    if (request?.type !== "pingRequest") throw new Error("no request");
    expect(request).to.include({ target: idOf(target), nack: true });
    trace.hear(helper, { type: "ack", sequence: request.sequence, target: idOf(target) });
    trace.others = [];
    trace.pass(600);
    expect(trace.others.map((effect) => effect.type)).not.to.include("probe-stream");
    expect(trace.swim.counters.indirectAcks).to.equal(1);
  });

  it("takes an ack only from the id that was probed (RULES 21)", () => {
    const trace = new Trace();
    trace.know("b", "c");
    trace.pass(1_000);
    const ping = trace.packets("ping")[0];
    const message = ping?.envelope.message;
    if (message?.type !== "ping") throw new Error("no ping");
    const other = message.target === idOf("b") ? "c" : "b";
    trace.hear(other, { type: "ack", sequence: message.sequence, target: "" });
    trace.hear(other, { type: "ack", sequence: message.sequence, target: message.target });
    expect(trace.swim.counters.unexpectedAnswers).to.equal(2);
    expect(trace.swim.sizes().waiting).to.equal(1);
  });

  it("takes a nack that does not come for bad health of its own (Lifeguard IV.A)", () => {
    const healthAfter = (nacked: boolean): number => {
      const trace = new Trace();
      trace.know("b", "c");
      trace.pass(1_000);
      const target = trace.packets("ping")[0]?.to.id?.[0] ?? "";
      const helper = target === "b" ? "c" : "b";
      let highest = 0;
      for (let i = 0; i < 30; i += 1) {
        trace.pass(100);
        trace.answer(helper);
        const request = trace.packets("pingRequest", helper)[0]?.envelope.message;
        if (request?.type === "pingRequest" && nacked) {
          trace.hear(helper, { type: "nack", sequence: request.sequence, target: idOf(target) });
        }
        highest = Math.max(highest, trace.swim.localHealth);
        if (request !== undefined && trace.now > 3_600) break;
      }
      return highest;
    };
    expect(healthAfter(true)).to.equal(0);
    expect(healthAfter(false)).to.equal(1);
  });

  it("probes for others, and says when it got no answer", () => {
    const trace = new Trace();
    trace.know("b", "c");
    const request = { sequence: 7, target: idOf("c"), address: addressOf("c"), nack: true };
    trace.hear("b", { type: "pingRequest", ...request });
    const ping = trace.packets("ping", "c")[0]?.envelope.message;
    if (ping?.type !== "ping") throw new Error("no ping");
    trace.hear("c", { type: "ack", sequence: ping.sequence, target: "" });
    const ack = trace.packets("ack", "b")[0]?.envelope.message;
    expect(ack).to.deep.include({ type: "ack", sequence: 7, target: idOf("c") });
    trace.clear();
    trace.hear("b", { type: "pingRequest", ...request });
    trace.pass(600);
    const nack = trace.packets("nack", "b")[0]?.envelope.message;
    expect(nack).to.deep.include({ type: "nack", sequence: 7, target: idOf("c") });
  });

  it("pads one ping in ten to the full size", () => {
    const trace = new Trace();
    trace.know("b");
    for (let i = 0; i < 30; i += 1) {
      trace.pass(1_000);
      const pings = trace.packets("ping");
      for (const ping of pings) if (ping.envelope.padding > 0) trace.others.push({ ...ping });
      trace.answer("b");
    }
    expect(trace.others.filter((effect) => effect.type === "send")).to.have.length(3);
  });

  it("accuses nobody whose stream answers: UDP may be the thing that is broken (RULES 21)", () => {
    const trace = new Trace();
    trace.know("b", "c");
    for (let i = 0; i < 20; i += 1) {
      trace.pass(500);
      trace.answer("c");
      for (const effect of trace.others.splice(0)) {
        if (effect.type !== "probe-stream") continue;
        expect(effect.peer.id).to.equal(idOf("b"));
        trace.perform(trace.swim.handleStreamProbe(effect.token, "ok", trace.now));
      }
    }
    expect(trace.swim.counters.streamProbes).to.be.above(0);
    expect(trace.state("b")).to.equal("alive");
    expect(trace.eventTypes()).not.to.include("suspect");
  });
});

describe("Swim: suspicion and death", () => {
  /** Lets `b` be silent until it is suspect; `c` answers. */
  function suspectB(trace: Trace): void {
    for (let i = 0; i < 40 && trace.state("b") === "alive"; i += 1) {
      trace.pass(100);
      trace.answer("c");
      for (const effect of trace.others.splice(0)) {
        if (effect.type === "probe-stream") {
          trace.perform(trace.swim.handleStreamProbe(effect.token, "failed", trace.now));
        }
      }
    }
    expect(trace.state("b")).to.equal("suspect");
  }

  function passAnswering(trace: Trace, ms: number): void {
    for (let i = 0; i < ms / 100; i += 1) {
      trace.pass(100);
      trace.answer("c");
      for (const effect of trace.others.splice(0)) {
        if (effect.type === "probe-stream") {
          trace.perform(trace.swim.handleStreamProbe(effect.token, "failed", trace.now));
        }
      }
    }
  }

  it("waits long when it is the only accuser, and short when another one confirms", () => {
    const alone = new Trace();
    alone.know("b", "c");
    suspectB(alone);
    passAnswering(alone, 7_000);
    expect(alone.state("b")).to.equal("suspect");
    passAnswering(alone, 3_000);
    expect(alone.state("b")).to.equal("dead");
    const confirmed = new Trace();
    confirmed.know("b", "c");
    suspectB(confirmed);
    const claim = member("b", { state: "suspect", accuser: idOf("c"), evidence: 1 });
    confirmed.hear("c", undefined, { members: [claim] });
    passAnswering(confirmed, 1_600);
    expect(confirmed.state("b")).to.equal("dead");
    const [accusation] = confirmed.swim.accusations();
    expect(accusation).to.deep.include({
      member: idOf("b"),
      accuser: idOf("a"),
      confirmedBy: [idOf("c")],
      outcome: "dead",
    });
    expect(accusation?.evidence).to.include.members(["no-ack", "stream-failed"]);
  });

  it("with nobody to confirm waits twice the minimum, and wants a failed stream probe (RULES 21)", () => {
    const trace = new Trace();
    trace.know("b");
    suspectB(trace);
    const since = trace.now;
    const ok: number[] = [];
    for (let i = 0; i < 100; i += 1) {
      trace.pass(100);
      for (const effect of trace.others.splice(0)) {
        if (effect.type !== "probe-stream") continue;
        ok.push(trace.now - since);
        trace.perform(trace.swim.handleStreamProbe(effect.token, "ok", trace.now));
      }
    }
    expect(trace.state("b"), "the stream answers").to.equal("suspect");
    expect(ok.length).to.be.above(1);
    passAnswering(trace, 3_200);
    expect(trace.state("b")).to.equal("dead");
  });

  it("lets the suspect hear first of all what is said of it, and clears it when it refutes", () => {
    const trace = new Trace();
    trace.know("b", "c");
    suspectB(trace);
    const told = trace.sent.filter(
      ({ to, envelope }) =>
        to.id === idOf("b") && envelope.members.some((claim) => claim.state === "suspect"),
    );
    expect(told.length).to.be.above(0);
    trace.clear();
    trace.hear("b", undefined, { members: [member("b", { incarnation: 2 })], incarnation: 2 });
    expect(trace.state("b")).to.equal("alive");
    expect(trace.events.map((event) => event.type)).to.include("alive");
    expect(trace.swim.accusations()[0]?.outcome).to.equal("refuted");
    passAnswering(trace, 200);
    const old = member("b", { state: "dead", accuser: idOf("c") });
    trace.hear("c", undefined, { members: [old] });
    expect(trace.state("b"), "what is older is ignored").to.equal("alive");
  });

  it("tells one that it accused again in each period: its rumors may all have been lost in a cut", () => {
    const trace = new Trace();
    trace.know("b", "c");
    suspectB(trace);
    trace.clear();
    let told = 0;
    for (let step = 0; step < 40; step += 1) {
      trace.pass(100);
      const pings = trace.packets("ping", "b").filter(({ to }) => to.bootId === bootOf("b"));
      told += pings.filter(({ envelope }) =>
        envelope.members.some((claim) => claim.state === "suspect"),
      ).length;
      trace.answer("c");
      trace.clear();
    }
    expect(told).to.be.at.least(3);
  });

  it("asks a member whose view differed while news went round what it holds when they are round", () => {
    const trace = new Trace();
    trace.know("b", "c");
    trace.pass(100);
    trace.clear();
    const view = 12_345;
    trace.hear("b", { type: "ack", sequence: 1, target: "" }, { view });
    let asked: SendEffect | undefined;
    for (let ms = 0; ms < 1_500 && asked === undefined; ms += 10) {
      trace.pass(10);
      asked = trace.sent.find(
        ({ to, envelope }) =>
          to.id === idOf("b") && envelope.message?.type === "ping" && trace.now > 700,
      );
    }
    expect(trace.now).to.be.within(700, 1_500);
    trace.hear("b", undefined, { view });
    const asks = trace.others.flatMap((effect) =>
      effect.type === "exchange" ? effect.reason : [],
    );
    expect(asks).to.include("difference");
  });

  it("accuses nobody while it hears nobody at all, until the silence lasted: it may be deaf itself", () => {
    const trace = new Trace();
    trace.know("b", "c", "d");
    const failStreams = (): void => {
      for (const effect of trace.others.splice(0)) {
        if (effect.type !== "probe-stream") continue;
        trace.perform(trace.swim.handleStreamProbe(effect.token, "failed", trace.now));
      }
    };
    const quiet = (): boolean => ["b", "c", "d"].every((one) => trace.state(one) === "alive");
    while (trace.now < 5_000) {
      trace.pass(100);
      failStreams();
    }
    expect(trace.swim.counters.probesFailed).to.be.above(0);
    expect(trace.swim.counters.deafRounds).to.be.above(0);
    expect(quiet(), "nobody is suspect").to.equal(true);
    while (trace.now < 60_000 && quiet()) {
      trace.pass(100);
      failStreams();
    }
    expect(quiet(), "in the end the silence is believed").to.equal(false);
  });

  it("takes a refused connection for an answer: the network works", () => {
    const trace = new Trace();
    trace.know("b", "c", "d");
    for (let i = 0; i < 50 && trace.events.every(({ type }) => type !== "suspect"); i += 1) {
      trace.pass(100);
      for (const effect of trace.others.splice(0)) {
        if (effect.type !== "probe-stream") continue;
        trace.perform(trace.swim.handleStreamProbe(effect.token, "refused", trace.now));
      }
    }
    expect(trace.eventTypes()).to.include("suspect");
  });

  it("refutes what is said of itself with a higher incarnation, and its health gets worse", () => {
    const trace = new Trace();
    trace.know("b", "c");
    const claim = member("a", { state: "suspect", accuser: idOf("c"), incarnation: 5 });
    trace.hear("b", undefined, { members: [claim] });
    expect(trace.swim.member(idOf("a"))?.incarnation).to.equal(6);
    expect(trace.swim.localHealth).to.equal(1);
    trace.pass(300);
    const spread = trace.sent.flatMap(({ envelope }) => envelope.members);
    expect(spread.some((m) => m.id === idOf("a") && m.incarnation === 6)).to.equal(true);
  });

  it("does not follow incarnations that jump or reach the end", () => {
    const trace = new Trace();
    trace.know("b", "c");
    const jump = member("a", { state: "dead", incarnation: 2 ** 40 });
    trace.hear("b", undefined, { members: [jump] });
    expect(trace.swim.member(idOf("a"))?.incarnation).to.equal(1);
    trace.hear("b", undefined, { members: [member("c", { state: "dead", incarnation: 2 ** 40 })] });
    expect(trace.state("c")).to.equal("alive");
    trace.hear("b", undefined, { members: [member("b", { incarnation: 2 ** 52 })] });
    expect(trace.swim.counters.claimsRefused).to.equal(3);
  });

  it("declares nobody dead after a stall of its own until a clean round has passed (RULES 15)", () => {
    const trace = new Trace();
    trace.know("b", "c");
    suspectB(trace);
    trace.pass(20_000, 15_000); // frozen for 15 s: all timers late
    for (const effect of trace.others.splice(0)) {
      if (effect.type === "probe-stream") {
        trace.perform(trace.swim.handleStreamProbe(effect.token, "failed", trace.now));
      }
    }
    expect(trace.state("b")).to.equal("suspect");
    expect(trace.swim.counters.lateTimers).to.be.above(0);
    expect(trace.swim.localHealth).to.be.above(0);
    passAnswering(trace, 40_000);
    expect(trace.state("b"), "in the end it is").to.equal("dead");
  });

  it("says stalled by a new incarnation, at most once a second (RULES 15)", () => {
    const trace = new Trace();
    trace.know("b");
    trace.pass(2_000);
    for (let i = 0; i < 20; i += 1) {
      trace.perform(trace.swim.setStalled(i % 2 === 0, trace.now));
      trace.pass(100);
    }
    const incarnation = trace.swim.member(idOf("a"))?.incarnation ?? 0;
    expect(incarnation).to.be.within(2, 4);
    trace.perform(trace.swim.setStalled(true, trace.now));
    trace.pass(2_000);
    expect(trace.swim.member(idOf("a"))?.stalled).to.equal(true);
  });

  it("tells when a member says that it is stalled, and when it goes on", () => {
    const trace = new Trace();
    trace.know("b");
    trace.hear("b", undefined, { members: [member("b", { incarnation: 2, flags: 1 })] });
    trace.hear("b", undefined, { members: [member("b", { incarnation: 3 })] });
    expect(trace.eventTypes().filter((type) => type !== "joined")).to.deep.equal([
      "stalled",
      "resumed",
    ]);
    expect(trace.state("b")).to.equal("alive");
  });
});

describe("Swim: refused connections and failing sockets", () => {
  it("does not wait for an answer from where nobody listens (RULES 21)", () => {
    const trace = new Trace();
    trace.know("b", "c", "d");
    trace.pass(1_000);
    const target = trace.packets("ping")[0]?.to.id?.[0] ?? "";
    trace.clear();
    trace.perform(trace.swim.handleRefused(addressOf(target), trace.now));
    expect(trace.packets("pingRequest")).to.have.length(2);
    const probe = trace.streamProbe();
    trace.perform(trace.swim.handleStreamProbe(probe.token, "refused", trace.now));
    expect(trace.state(target)).to.equal("suspect");
    expect(trace.swim.accusations()[0]?.evidence).to.include.members(["refused", "no-ack"]);
  });

  it("takes a failing socket of its own for bad health", () => {
    const trace = new Trace();
    trace.perform(trace.swim.handleTransportError(0));
    expect(trace.swim.localHealth).to.equal(1);
  });
});

describe("Swim: the ended", () => {
  it("calls the dead, with the probability of dead/alive each second (RULES 20)", () => {
    const trace = new Trace({ remembered: [member("x", { state: "dead" })] });
    trace.know("b");
    let calls = 0;
    for (let i = 0; i < 200; i += 1) {
      trace.pass(500);
      calls += trace.packets("ping", "x").length;
      trace.answer("b");
    }
    expect(calls).to.be.within(30, 70); // dead/alive = 1/2 for 100 s
  });

  it("tells a dead one that answers what is said of it, and exchanges tables with it", () => {
    const trace = new Trace({ remembered: [member("x", { state: "dead" })] });
    const call = trace.packets("ping", "x")[0]?.envelope.message;
    if (call?.type !== "ping") throw new Error("not called");
    trace.clear();
    trace.hear("x", { type: "ack", sequence: call.sequence, target: "" });
    const told = trace.packets("rumors", "x")[0]?.envelope.members ?? [];
    expect(told.find((m) => m.id === idOf("x"))?.state).to.equal("dead");
    expect(trace.others.some((effect) => effect.type === "exchange")).to.equal(true);
    trace.hear("x", undefined, { members: [member("x", { incarnation: 2 })] });
    expect(trace.state("x")).to.equal("alive");
  });

  it("says stopped at once to all, without suspicion, and ends when it is said", () => {
    const trace = new Trace();
    trace.know("b", "c");
    trace.perform(trace.swim.stop(trace.now));
    const told = trace
      .packets("rumors")
      .filter(({ envelope }) =>
        envelope.members.some((m) => m.id === idOf("a") && m.state === "stopped"),
      );
    expect(told.map(({ to }) => to.id)).to.include.members([idOf("b"), idOf("c")]);
    expect(trace.eventTypes()).not.to.include("ended");
    trace.pass(1_000);
    expect(trace.eventTypes()).to.include("ended");
  });

  it("leaves with its stamp, and is gone for others", () => {
    const trace = new Trace();
    trace.know("b", "c");
    const left = member("b", { state: "left", departed: 77 });
    trace.hear("b", undefined, { members: [left] });
    expect(trace.swim.member(idOf("b"))).to.include({ state: "left", departed: 77 });
    trace.hear("c", undefined, { members: [member("b", { incarnation: 9 })] });
    expect(trace.state("b")).to.equal("left");
    trace.hear("b", undefined, { members: [member("b", { generation: 2 })], generation: 2 });
    expect(trace.state("b")).to.equal("alive");
  });

  it("forgets only who is dead or stopped (RULES 3)", () => {
    const trace = new Trace({
      remembered: [member("x", { state: "dead" }), member("y", { state: "stopped" })],
    });
    trace.know("b");
    const forget = (letter: string): Effect[] => trace.swim.forget(idOf(letter), trace.now);
    for (const [letter, code] of [
      ["b", "not-dead"],
      ["q", "unknown-member"],
      ["a", "self"],
    ] as const) {
      expect(() => forget(letter))
        .to.throw(MembershipError)
        .with.property("code", code);
    }
    trace.perform(forget("x"));
    trace.perform(forget("y"));
    expect([trace.state("x"), trace.state("y")]).to.deep.equal(["forgotten", "forgotten"]);
    trace.hear("b", undefined, { members: [member("x", { incarnation: 9 })] });
    expect(trace.state("x"), "never by refutation alone").to.equal("forgotten");
  });

  it("forgets volatile members an hour after their death, others when it is told to", () => {
    const remembered = [member("x", { state: "dead", flags: 4 }), member("y", { state: "dead" })];
    const trace = new Trace({ remembered });
    trace.pass(3_590_000);
    expect(trace.state("x")).to.equal("dead");
    trace.pass(20_000);
    expect([trace.state("x"), trace.state("y")]).to.deep.equal(["forgotten", "dead"]);
    const quick = new Trace({ remembered, forgetAfterMs: 10_000 });
    quick.pass(12_000);
    expect([quick.state("x"), quick.state("y")]).to.deep.equal(["forgotten", "forgotten"]);
  });

  it("is silent when it hears that it was forgotten, until it has a new generation (RULES 3)", () => {
    const trace = new Trace();
    trace.know("b");
    trace.hear("b", undefined, { members: [member("a", { state: "forgotten" })] });
    expect(trace.eventTypes()).to.include("forgotten-self");
    trace.clear();
    trace.hear("b", { type: "ping", sequence: 1, target: idOf("a") });
    trace.pass(5_000);
    expect(trace.packets("ack")).to.deep.equal([]);
    trace.perform(trace.swim.raiseGeneration(2, trace.now));
    expect(trace.swim.member(idOf("a"))).to.include({ generation: 2, state: "alive" });
    expect(trace.others.map((effect) => effect.type)).to.include("exchange");
  });

  it("keeps at most so many dead ones, volatile ones go first (RULES 3)", () => {
    const trace = new Trace({ maxDead: 3 });
    trace.know("b", "c", "d", "e", "f");
    const die = (letter: string, flags = 0): void => {
      trace.hear("b", undefined, {
        members: [member(letter, { incarnation: 2, state: "dead", flags })],
      });
    };
    die("c");
    die("d", 4);
    die("e");
    trace.pass(10);
    die("f");
    expect(trace.state("d")).to.equal(undefined);
    expect(trace.swim.sizes().ended).to.equal(3);
    trace.hear("b", undefined, { members: [member("q", { state: "dead" })] });
    expect(trace.state("q"), "the list is full").to.equal(undefined);
    expect(trace.swim.counters.membersRefused).to.equal(1);
  });

  it("takes what a page says is dead for suspect first: both sides of a partition live", () => {
    const trace = new Trace();
    trace.know("b", "c");
    const page = [member("c", { state: "dead", accuser: idOf("x") })];
    trace.perform(trace.swim.mergeMembers(page, { id: idOf("x") }, trace.now));
    expect(trace.state("c")).to.equal("suspect");
  });

  it("says when somebody runs with its id (RULES 19)", () => {
    const trace = new Trace();
    trace.know("b");
    trace.hear("a", undefined, { bootId: bootOf("f") });
    expect(trace.events).to.deep.include({ type: "copy", generation: 1, bootId: bootOf("f") });
    trace.clear();
    trace.pass(2_000);
    trace.hear("b", undefined, { members: [member("a", { generation: 4, bootId: bootOf("f") })] });
    expect(trace.events).to.deep.include({ type: "copy", generation: 4, bootId: bootOf("f") });
  });
});

describe("Swim: updates", () => {
  it("sends one at once to given members, and takes them only from those it knows", () => {
    const trace = new Trace();
    trace.know("b", "c");
    const update = new Uint8Array([1, 2, 3]);
    trace.perform(trace.swim.send([idOf("b"), idOf("q")], update, trace.now));
    expect(trace.packets("rumors").map(({ to }) => to.id)).to.deep.equal([idOf("b")]);
    trace.clear();
    trace.hear("b", undefined, { updates: [update] });
    trace.hear("q", undefined, { updates: [update] });
    const updates = trace.events.filter((event) => event.type === "update");
    expect(updates).to.deep.equal([{ type: "update", from: idOf("b"), bytes: update }]);
    expect(trace.swim.counters.updatesDropped).to.equal(2);
  });

  it("broadcasts a bounded number of times", () => {
    const trace = new Trace();
    trace.know("b", "c");
    trace.pass(3_000);
    trace.clear();
    trace.perform(trace.swim.broadcast(new Uint8Array([9]), trace.now));
    trace.pass(10_000);
    const carried = trace.sent.filter(({ envelope }) => envelope.updates.length > 0);
    expect(carried.length).to.equal(3); // 3 * ceil(log10(4))
  });

  it("refuses an update that fits no packet", () => {
    const trace = new Trace();
    const { maxUpdateBytes } = trace.swim;
    expect(maxUpdateBytes).to.be.within(1_000, 1_352);
    trace.swim.broadcast(new Uint8Array(maxUpdateBytes), 0);
    expect(() => trace.swim.broadcast(new Uint8Array(maxUpdateBytes + 1), 0)).to.throw(RangeError);
  });
});
