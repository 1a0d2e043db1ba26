import { createDecipheriv } from "node:crypto";
import process from "node:process";
import { expect } from "chai";
import { BOOT_A, BOOT_B, ID_A, ID_B, makePrng, ramp, SAMPLES } from "./_test_utils.ts";
import { DecodeError, type DecodeErrorCode } from "./decode_error.ts";
import { encode } from "./encode.ts";
import { Keyring } from "./keyring.ts";
import type { Envelope } from "./messages.ts";
import { type PacketCodec, PlainPacketCodec } from "./packet.ts";
import type { PacketReceiver } from "./received_packet.ts";
import { SealedPacketCodec, type SealingMode } from "./sealed_packet_codec.ts";

const A: PacketReceiver = { cluster: "dnd", id: ID_A, bootId: BOOT_A };
const B: PacketReceiver = { cluster: "dnd", id: ID_B, bootId: BOOT_B };
const OLD = ramp(32);
const NEW = ramp(32, 100);
const FORGED_PACKETS = process.env["DND_FULL"] === "1" ? 1_000_000 : 30_000;

const fromA: Envelope = { ...SAMPLES.Envelope, padding: 0 };
const fromB: Envelope = { ...fromA, senderId: ID_B };

const codec = (
  receiver: PacketReceiver,
  keys: readonly Uint8Array[] = [OLD],
  mode?: SealingMode,
): SealedPacketCodec =>
  new SealedPacketCodec(receiver, { keyring: new Keyring(keys), ...(mode ? { mode } : {}) });

function codeOf(receiver: PacketCodec, packet: Uint8Array): DecodeErrorCode | undefined {
  try {
    receiver.decode(packet);
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
}

describe("SealedPacketCodec", () => {
  it("seals what only the right node opens, and shows nothing of it", () => {
    const packet = codec(A).encode(fromA, { destination: B });
    const opened = codec(B).decode(packet);
    expect(opened.envelope).to.deep.equal(fromA);
    expect(opened).to.include({ addressed: true, sealed: true });
    expect(opened.header).to.include({ flags: 7, counter: 0, senderId: ID_A, bootId: BOOT_A });
    expect(Buffer.from(packet).includes(Buffer.from("wohnzimmer"))).to.equal(false);
  });

  it("is AES-256-GCM over header, cluster and destination, as another language would do it", () => {
    const keyring = new Keyring([OLD]);
    const packet = codec(A).encode(fromA, { destination: B });
    const key = keyring.packetKey(keyring.sealingId, ID_A, BOOT_A)?.export() ?? Buffer.alloc(32);
    const end = packet.length - 16;
    const decipher = createDecipheriv("aes-256-gcm", key, packet.subarray(35, 47));
    decipher.setAAD(
      Buffer.concat([
        packet.subarray(0, 47),
        Buffer.from("\x03dnd"),
        Buffer.from(ID_B + BOOT_B, "hex"),
      ]),
    );
    decipher.setAuthTag(packet.subarray(end));
    const body = Buffer.concat([decipher.update(packet.subarray(47, end)), decipher.final()]);
    expect(body.equals(encode(fromA))).to.equal(true);
  });

  it("never uses a nonce twice, also when a message cannot be encoded", () => {
    const a = codec(A);
    const nonces = new Set<string>();
    for (let i = 0; i < 500; i++) {
      if (i % 50 === 0) {
        expect(() => a.encode({ ...fromA, generation: -1 })).to.throw(RangeError);
        a.setKeyring(new Keyring([NEW, OLD]));
      }
      const packet = a.encode(fromA, { destination: B });
      nonces.add(Buffer.from(packet.subarray(35, 43)).toString("hex"));
    }
    expect(nonces.size).to.equal(500);
  });

  it("tells apart what it drops", () => {
    const packet = codec(A).encode(fromA, { destination: B });
    const b = codec(B);
    const turned = packet.slice();
    turned[60] = (turned[60] ?? 0) ^ 1;
    expect(codeOf(b, turned)).to.equal("bad-tag");
    expect(codeOf(codec(B, [NEW]), packet)).to.equal("wrong-key");
    expect(codeOf(new PlainPacketCodec(B), packet)).to.equal("wrong-key");
    expect(codeOf(codec({ ...B, cluster: "prod" }), packet)).to.equal("wrong-cluster");
    expect(codeOf(codec({ ...B, bootId: BOOT_A }), packet)).to.equal("bad-tag");
    expect(codeOf(codec(A), packet)).to.equal("bad-tag");
    const plain = new PlainPacketCodec(A).encode(fromA, { destination: B });
    expect(codeOf(b, plain)).to.equal("unsealed");
    const version = packet.slice();
    version[1] = 9;
    expect(codeOf(b, version)).to.equal("wrong-version");
    expect(codeOf(b, packet.subarray(0, 62))).to.equal("malformed");
    expect(codeOf(b, packet)).to.equal(undefined);
    expect(codeOf(b, packet)).to.equal("replay");
  });

  it("opens nothing of another cluster under the same key, also if the tag of its name is ours", () => {
    const packet = codec({ ...A, cluster: "prod" }).encode(
      { ...fromA, cluster: "prod" },
      { destination: B },
    );
    expect(codeOf(codec(B), packet)).to.equal("wrong-cluster");
    packet.set(codec(A).encode(fromA).subarray(3, 7), 3);
    expect(codeOf(codec(B), packet)).to.equal("bad-tag");
  });

  it("takes packets out of order, each once", () => {
    const a = codec(A);
    const b = codec(B);
    const packets = Array.from({ length: 200 }, () => a.encode(fromA, { destination: B }));
    const next = makePrng(5);
    packets.sort(() => next() - 0.5);
    for (const packet of packets) expect(codeOf(b, packet)).to.equal(undefined);
    for (const packet of packets) expect(codeOf(b, packet)).to.equal("replay");
  });

  it("refuses to seal for another node or cluster", () => {
    expect(() => codec(A).encode(fromB)).to.throw(TypeError);
    expect(() => codec(A).encode({ ...fromA, cluster: "prod" })).to.throw(TypeError);
  });

  it("is not led to forget by packets that are not authentic", () => {
    const a = codec(A);
    const b = new SealedPacketCodec(B, { keyring: new Keyring([OLD]), maxSenders: 4 });
    const packet = a.encode(fromA, { destination: B });
    expect(codeOf(b, packet)).to.equal(undefined);
    const next = makePrng(9);
    for (let i = 0; i < 300; i++) {
      const forged = packet.slice();
      for (let at = 11; at < 35; at++) forged[at] = Math.floor(next() * 256);
      expect(codeOf(b, forged)).to.equal("bad-tag");
    }
    expect(codeOf(b, packet)).to.equal("replay");
  });

  it("rotates by accept, use, retire, one node after the other, without losing a packet", () => {
    const nodes = [A, B, { ...A, id: "0".repeat(32) }, { ...B, id: "1".repeat(32) }];
    const codecs = nodes.map((node) => codec(node));
    let packets = 0;
    const allTalk = (): void => {
      for (const [i, from] of codecs.entries()) {
        for (const [j, to] of codecs.entries()) {
          if (i === j) continue;
          const sender = nodes[i] ?? A;
          const destination = nodes[j] ?? B;
          const packet = from.encode({ ...fromA, senderId: sender.id }, { destination });
          expect(codeOf(to, packet)).to.equal(undefined);
          packets++;
        }
      }
    };
    const inFlight: [SealedPacketCodec, Uint8Array][] = [];
    for (const keys of [[OLD, NEW], [NEW, OLD], [NEW]]) {
      for (const node of codecs) {
        node.setKeyring(new Keyring(keys));
        allTalk();
      }
      // What was on its way during a step arrives.
      for (const [to, packet] of inFlight.splice(0)) {
        expect(codeOf(to, packet)).to.equal(undefined);
      }
      const [first, second] = codecs;
      if (first !== undefined && second !== undefined) {
        inFlight.push([second, first.encode(fromA, { destination: B })]);
      }
    }
    expect(packets).to.equal(3 * 4 * 12);
    const late = codec({ ...A, bootId: "00000000000000aa" }).encode(fromA, { destination: B });
    expect(codecs[1] && codeOf(codecs[1], late)).to.equal("wrong-key");
  });

  describe("permissive", () => {
    it("takes plain and sealed packets, and answers each peer in what it can read", () => {
      const a = codec(A, [OLD], "permissive");
      const keyless = new PlainPacketCodec(B);
      const opened = a.decode(keyless.encode(fromB, { destination: A }));
      expect(opened.sealed).to.equal(false);
      expect(codeOf(keyless, a.encode(fromA, { destination: B }))).to.equal(undefined);
      const strict = codec(B);
      expect(a.decode(strict.encode(fromB, { destination: A })).sealed).to.equal(true);
      expect(codeOf(strict, a.encode(fromA, { destination: B }))).to.equal(undefined);
    });

    it("seals between two permissive nodes as soon as they heard of each other's keys", () => {
      const a = codec(A, [OLD], "permissive");
      const b = codec(B, [NEW, OLD], "permissive");
      expect(b.decode(a.encode(fromA, { destination: B })).sealed).to.equal(false);
      expect(b.encode(fromB, { destination: A })[2]).to.equal(7);
      const c = codec(B, [OLD, NEW], "permissive");
      c.decode(a.encode(fromA, { destination: B }));
      expect(a.decode(c.encode(fromB, { destination: A })).sealed).to.equal(true);
      expect(c.decode(a.encode(fromA, { destination: B })).sealed).to.equal(true);
    });

    it("calls unknown peers in both ways by turns, so that a strict one hears it too", () => {
      const a = codec(A, [OLD], "permissive");
      const strict = codec(B);
      const codes = Array.from({ length: 4 }, () => codeOf(strict, a.encode(fromA)));
      expect(codes.filter((code) => code === undefined)).to.have.length(2);
      expect(codes.filter((code) => code === "unsealed")).to.have.length(2);
    });

    it("is not talked out of sealing by a forged plain packet", () => {
      const a = codec(A, [OLD], "permissive");
      const strict = codec(B);
      a.decode(strict.encode(fromB, { destination: A }));
      a.decode(new PlainPacketCodec(B).encode(fromB, { destination: A }));
      expect(a.encode(fromA, { destination: B })[2]).to.equal(7);
    });

    it("goes on sealing for the same peers during a rotation", () => {
      const a = codec(A, [OLD], "permissive");
      const strict = codec(B, [OLD, NEW]);
      a.decode(strict.encode(fromB, { destination: A }));
      a.setKeyring(new Keyring([OLD, NEW]));
      expect(codeOf(strict, a.encode(fromA, { destination: B }))).to.equal(undefined);
      a.setKeyring(new Keyring([NEW, OLD]), "required");
      expect(codeOf(strict, a.encode(fromA, { destination: B }))).to.equal(undefined);
      expect(codeOf(a, new PlainPacketCodec(B).encode(fromB, { destination: A }))).to.equal(
        "unsealed",
      );
    });

    it("switches a running cluster over, node by node, without a packet lost", () => {
      const nodes = Array.from({ length: 4 }, (_, i) => ({ ...A, id: `${i}`.repeat(32) }));
      let boots = 0;
      const start = (
        i: number,
        mode?: SealingMode,
      ): { codec: PacketCodec; self: PacketReceiver } => {
        const bootId = (++boots).toString(16).padStart(16, "0");
        const self = { ...A, id: nodes[i]?.id ?? ID_A, bootId };
        return {
          self,
          codec: mode === undefined ? new PlainPacketCodec(self) : codec(self, [OLD], mode),
        };
      };
      const running = nodes.map((_, i) => start(i));
      let lost = 0;
      const allTalk = (): void => {
        for (const from of running) {
          for (const to of running) {
            if (from === to) continue;
            const envelope = { ...fromA, senderId: from.self.id, generation: boots };
            const packet = from.codec.encode(envelope, { destination: to.self });
            if (codeOf(to.codec, packet) !== undefined) lost++;
          }
        }
      };
      allTalk();
      for (const mode of ["permissive", "required"] as const) {
        for (const [i] of nodes.entries()) {
          running[i] = start(i, mode);
          // It joins: an unaddressed ping, twice at most, reaches everybody, and they answer it.
          for (const to of running) {
            if (to === running[i]) continue;
            const sender = { ...fromA, senderId: nodes[i]?.id ?? ID_A, generation: boots };
            const tries = [0, 1].map(() => running[i]?.codec.encode(sender) ?? new Uint8Array(0));
            const codes = tries.map((packet) => codeOf(to.codec, packet));
            expect(codes, `${mode} ${i}`).to.include(undefined);
          }
          allTalk();
        }
      }
      // Two permissive nodes may need one packet to hear of each other's keys; it is plain, not lost.
      expect(lost).to.equal(0);
    });
  });

  it(`takes none of ${FORGED_PACKETS} forged, turned, cut, replayed and foreign packets`, () => {
    const next = makePrng(13);
    const below = (n: number): number => Math.floor(next() * n);
    const a = codec(A);
    const b = codec(B);
    const foreign = codec(A, [NEW]);
    const elsewhere = codec({ ...A, cluster: "prod" });
    const real = Array.from({ length: 64 }, () => a.encode(fromA, { destination: B }));
    for (const packet of real) b.decode(packet);
    const fresh = Array.from({ length: 64 }, () => a.encode(fromA, { destination: B }));
    const counts = new Map<string, number>();
    for (let i = 0; i < FORGED_PACKETS; i++) {
      let packet: Uint8Array = (fresh[below(64)] ?? ramp(99)).slice();
      switch (i % 6) {
        case 0: // forged: the header of a real packet, the rest made up
          for (let at = 47; at < packet.length; at++) packet[at] = below(256);
          break;
        case 1: {
          const at = below(packet.length);
          packet[at] = (packet[at] ?? 0) ^ (1 << below(8));
          break;
        }
        case 2:
          packet = packet.subarray(0, below(packet.length));
          break;
        case 3:
          packet = real[below(64)] ?? packet;
          break;
        case 4:
          packet =
            below(2) === 0
              ? elsewhere.encode({ ...fromA, cluster: "prod" }, { destination: B })
              : foreign.encode(fromA, { destination: B });
          break;
        default: // for another node, or another process of this one, with the nonce of another packet
          packet = a.encode(fromA, { destination: { id: ID_B, bootId: BOOT_A } });
          if (below(2) === 0) packet.set((fresh[below(64)] ?? packet).subarray(35, 47), 35);
      }
      const code = codeOf(b, packet) ?? "taken";
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    expect(counts.get("taken"), JSON.stringify([...counts])).to.equal(undefined);
    expect([...counts.keys()].sort()).to.include.members([
      "bad-tag",
      "malformed",
      "replay",
      "wrong-cluster",
      "wrong-key",
    ]);
    for (const packet of fresh) expect(codeOf(b, packet)).to.equal(undefined);
  });
});
