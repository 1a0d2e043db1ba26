/**
 * From the wire to the wire: packets, bent in every way and given a valid checksum again, go through the
 * decoder into a running `Swim`; whatever it then sends must fit its budget and be readable. A million
 * packets in the full run.
 */
import { expect } from "chai";
import {
  additionalData,
  crc32,
  DecodeError,
  decodePacket,
  type Envelope,
  encodePacket,
  type Member,
  PACKET_HEADER_BYTES,
  PACKET_TAG_BYTES,
} from "@dnd/protocol";
import { Prng } from "./simulation/mod.ts";
import { Swim } from "./swim.ts";
import type { Effect } from "./swim_types.ts";

const cases = process.env["DND_FULL"] === "1" ? 1_000_000 : 4_000;
const self = { cluster: "dnd", id: "5".repeat(32), bootId: "5".repeat(16) };
const maxDatagramBytes = 1_352;

/** A running `Swim`, and a peer that knows how to frame a packet for it. */
class Rig {
  readonly prng: Prng;
  readonly swim: Swim;
  readonly ids: string[];
  now = 0;
  taken = 0;
  sent = 0;
  #tokens: number[] = [];
  #generation = 1;
  #held = 1;

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.ids = Array.from({ length: 30 }, () => this.prng.hex(16));
    this.swim = new Swim(
      { ...self, generation: 1, address: "10.0.0.1:5000", maxMembers: 100, maxDead: 20 },
      { prng: this.prng.random, wall: () => 1_800_000_000_000 },
    );
    this.take(this.swim.start(0));
  }

  take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "schedule") this.#tokens.push(effect.token);
      if (effect.type === "notify") {
        const { event } = effect;
        if (event.type === "forgotten-self" || event.type === "exhausted") {
          this.#generation = event.generation + 1;
        }
      }
      if (effect.type !== "send") continue;
      this.sent += 1;
      const { envelope, to } = effect;
      const packet = encodePacket(envelope, { bootId: self.bootId, counter: 1, destination: to });
      expect(packet.length).to.be.at.most(maxDatagramBytes);
      const receiver = { cluster: "dnd", id: to.id ?? self.id, bootId: to.bootId ?? self.bootId };
      expect(decodePacket(packet, receiver).envelope.senderId).to.equal(self.id);
    }
    if (this.#tokens.length > 200) this.#tokens.splice(0, 100);
  }

  step(): void {
    const { prng, swim } = this;
    if (prng.chance(0.2)) this.now += prng.pick([1, 100, 1_000, 30_000]);
    if (this.#generation !== this.#held) {
      this.#held = this.#generation;
      this.take(swim.raiseGeneration(this.#generation, this.now));
    }
    if (prng.chance(0.3) && this.#tokens.length > 0) {
      this.take(swim.handleTimer(prng.pick(this.#tokens), this.now));
      return;
    }
    const packet = this.#bent(
      encodePacket(this.#envelope(), {
        bootId: "6".repeat(16),
        counter: 1,
        ...(prng.chance(0.9) ? { destination: self } : {}),
      }),
    );
    let opened;
    try {
      opened = decodePacket(packet, self);
    } catch (error) {
      if (error instanceof DecodeError) return;
      throw error;
    }
    this.taken += 1;
    const { envelope, header, addressed } = opened;
    const source = { address: "10.0.0.6:5000", bootId: header.bootId, directed: addressed };
    this.take(swim.handleMessage(envelope, source, this.now));
  }

  /** Bends a packet behind its header, and makes its checksum right again. */
  #bent(packet: Uint8Array): Uint8Array {
    const { prng } = this;
    const end = packet.length - PACKET_TAG_BYTES;
    let body: Uint8Array = packet.slice(PACKET_HEADER_BYTES, end);
    for (let n = prng.integer(3); n > 0; n--) {
      const at = prng.integer(body.length);
      if (prng.chance(0.4)) body[at] = prng.integer(256);
      else if (prng.chance(0.5)) body = spliced(body, at, prng);
      else body[at] = (body[at] ?? 0) ^ (1 << prng.integer(8));
    }
    const bent = new Uint8Array(PACKET_HEADER_BYTES + body.length + PACKET_TAG_BYTES);
    const header = packet.subarray(0, PACKET_HEADER_BYTES);
    bent.set(header);
    bent.set(body, PACKET_HEADER_BYTES);
    const data = additionalData("dnd", header[2] ?? 0, self);
    const sum = crc32(body, crc32(data, crc32(header)));
    new DataView(bent.buffer).setUint32(PACKET_HEADER_BYTES + body.length, sum);
    return bent;
  }

  #envelope(): Envelope {
    const { prng } = this;
    const sequence = prng.integer(100);
    const target = prng.pick([self.id, prng.pick(this.ids), ""]);
    return {
      protocolVersion: 1,
      cluster: "dnd",
      senderId: prng.pick(this.ids),
      generation: prng.pick([1, 2, 2 ** 40]),
      incarnation: prng.integer(4),
      wall: 1_800_000_000_000,
      view: prng.uint32(),
      message: prng.pick<NonNullable<Envelope["message"]>>([
        { type: "ping", sequence, target },
        { type: "ack", sequence, target },
        { type: "nack", sequence, target: prng.pick(this.ids) },
        {
          type: "pingRequest",
          sequence,
          target: prng.pick(this.ids),
          address: prng.pick(["10.0.0.7:5000", "é".repeat(127)]),
          nack: true,
        },
      ]),
      members: Array.from({ length: prng.integer(4) }, () => this.#member()),
      updates: prng.chance(0.3) ? [prng.bytes(prng.integer(900))] : [],
      padding: prng.pick([0, 0, 300]),
    };
  }

  /** As large as a member can be, or small. */
  #member(): Member {
    const { prng } = this;
    const large = prng.chance(0.5);
    return {
      id: prng.pick(this.ids),
      generation: prng.pick([1, 2, 2 ** 40]),
      incarnation: prng.integer(5),
      state: prng.pick(["alive", "suspect", "stopped", "dead", "left", "forgotten"]),
      address: large ? prng.pick(["é".repeat(127), "\u{1f600}".repeat(63)]) : "10.0.0.9:5000",
      name: large ? "n".repeat(64) : "",
      metadata: prng.bytes(large ? 512 : 0),
      flags: large ? 0xffff_ffff : 2,
      protocolMin: large ? 0xffff_ffff : 1,
      protocolMax: large ? 0xffff_ffff : 1,
      seen: large ? Number.MAX_SAFE_INTEGER : 0,
      departed: large ? Number.MAX_SAFE_INTEGER : 0,
      accuser: prng.pick(["", prng.pick(this.ids)]),
      evidence: large ? 0xffff_ffff : 0,
      bootId: prng.pick(["", "7".repeat(16)]),
      ...(prng.chance(0.2) ? { extra: this.#extra() } : {}),
    };
  }

  /** A field of the future, number 1000. */
  #extra(): Uint8Array {
    const length = this.prng.pick([0, 100, 480]);
    const tag = [0xc2, 0x3e];
    const size = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
    return Uint8Array.from([...tag, ...size, ...new Array<number>(length).fill(7)]);
  }
}

/** A few bytes at a place taken out, and a few others put in. */
function spliced(bytes: Uint8Array, at: number, prng: Prng): Uint8Array {
  const rest = bytes.subarray(Math.min(bytes.length, at + prng.integer(4)));
  const added = prng.bytes(prng.integer(5));
  const result = new Uint8Array(at + added.length + rest.length);
  result.set(bytes.subarray(0, at));
  result.set(added, at);
  result.set(rest, at + added.length);
  return result;
}

describe("Swim behind the decoder", () => {
  it(`sends only packets that fit and can be read, after ${cases} bent ones`, () => {
    const seed = Number(process.env["DND_SEED"] ?? 1);
    const rig = new Rig(seed);
    for (let i = 0; i < cases; i++) {
      try {
        rig.step();
      } catch (error) {
        throw new Error(`seed ${seed}, step ${i}`, { cause: error });
      }
    }
    expect(rig.taken).to.be.above(cases / 10);
    expect(rig.sent).to.be.above(cases / 10);
  });
});
