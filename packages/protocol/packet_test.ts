import { expect } from "chai";
import { BOOT_A, BOOT_B, ID_A, ID_B, makePrng, SAMPLES } from "./_test_utils.ts";
import { crc32 } from "./crc32.ts";
import { DecodeError, type DecodeErrorCode } from "./decode_error.ts";
import { encode } from "./encode.ts";
import type { Envelope } from "./messages.ts";
import { decodePacket, encodePacket, PlainPacketCodec } from "./packet.ts";
import type { PacketReceiver } from "./received_packet.ts";
import { clusterTag, PACKET_OVERHEAD_BYTES } from "./packet_header.ts";

const B: PacketReceiver = { cluster: "dnd", id: ID_B, bootId: BOOT_B };
const ENVELOPE: Envelope = { ...SAMPLES.Envelope, padding: 0 };

function codeOf(packet: Uint8Array, receiver: PacketReceiver = B): DecodeErrorCode | undefined {
  try {
    decodePacket(packet, receiver);
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
}

const toB = (envelope: Envelope = ENVELOPE): Uint8Array =>
  encodePacket(envelope, { bootId: BOOT_A, counter: 2 ** 40 + 5, destination: B, random: 0xabcd });

describe("encodePacket() and decodePacket()", () => {
  it("give envelope and header back", () => {
    const { header, envelope, addressed, sealed } = decodePacket(toB(), B);
    expect(envelope).to.deep.equal(ENVELOPE);
    expect(header).to.deep.equal({
      version: 1,
      flags: 6,
      clusterTag: clusterTag("dnd"),
      keyId: "00000000",
      senderId: ID_A,
      bootId: BOOT_A,
      counter: 2 ** 40 + 5,
    });
    expect({ addressed, sealed }).to.deep.equal({ addressed: true, sealed: false });
  });

  it("lay the header out as RULES 13 says", () => {
    const packet = toB();
    const body = encode(ENVELOPE);
    const hex = (from: number, to?: number): string =>
      Buffer.from(packet.subarray(from, to)).toString("hex");
    expect(packet).to.have.length(47 + body.length + 16);
    expect(hex(0, 3)).to.equal("dd0106");
    expect(hex(3, 7)).to.equal(
      crc32(new TextEncoder().encode("dnd")).toString(16).padStart(8, "0"),
    );
    expect(hex(7, 11)).to.equal("00000000");
    expect(hex(11, 27)).to.equal(ID_A);
    expect(hex(27, 35)).to.equal(BOOT_A);
    expect(hex(35, 47)).to.equal("00000100000000050000abcd");
    expect(hex(47, 47 + body.length)).to.equal(Buffer.from(body).toString("hex"));
    const covered = Buffer.concat([
      packet.subarray(0, 47),
      Buffer.from("\x03dnd"),
      Buffer.from(ID_B + BOOT_B, "hex"),
      body,
    ]);
    const sum = crc32(covered).toString(16).padStart(8, "0");
    expect(hex(47 + body.length)).to.equal(`${sum}${"0".repeat(24)}`);
  });

  it("say which packets are to be dropped, and why", () => {
    const with_ = (at: number, value: number): Uint8Array => {
      const packet = toB();
      packet[at] = value;
      return packet;
    };
    expect(codeOf(toB().subarray(0, PACKET_OVERHEAD_BYTES - 1))).to.equal("malformed");
    expect(codeOf(new Uint8Array(0))).to.equal("malformed");
    expect(codeOf(with_(0, 0xdc))).to.equal("malformed");
    expect(codeOf(with_(1, 0))).to.equal("wrong-version");
    expect(codeOf(with_(1, 2))).to.equal("wrong-version");
    expect(codeOf(with_(2, 8 + 6))).to.equal("malformed");
    expect(codeOf(with_(2, 4))).to.equal("malformed");
    expect(codeOf(with_(2, 7))).to.equal("wrong-key");
    expect(codeOf(with_(3, 0))).to.equal("wrong-cluster");
    expect(codeOf(with_(50, 0))).to.equal("bad-tag");
    expect(codeOf(with_(toB().length - 1, 1))).to.equal("bad-tag");
    expect(codeOf(toB().subarray(0, -1))).to.equal("bad-tag");
    expect(codeOf(toB(), { ...B, cluster: "prod" })).to.equal("wrong-cluster");
    expect(codeOf(toB(), { ...B, id: ID_A })).to.equal("bad-tag");
    expect(codeOf(toB(), { ...B, bootId: BOOT_A })).to.equal("bad-tag");
    expect(codeOf(new Uint8Array(65_508))).to.equal("too-large");
  });

  it("take no packet with a bit of it turned", () => {
    const packet = toB();
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const turned = packet.slice();
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codeOf(turned), `bit ${bit}`).to.be.a("string");
    }
  });

  it("take a packet to an unknown process only if it is a ping, and say that it was one", () => {
    const send = (envelope: Envelope, destination = {}): Uint8Array =>
      encodePacket(envelope, { bootId: BOOT_A, counter: 0, destination });
    const join = decodePacket(send(ENVELOPE), B);
    expect(join.addressed).to.equal(false);
    expect(decodePacket(send(ENVELOPE, { id: ID_B }), B).addressed).to.equal(false);
    expect(codeOf(send(ENVELOPE, { id: ID_A }))).to.equal("bad-tag");
    const ack: Envelope = { ...ENVELOPE, message: { type: "ack", ...SAMPLES.Ack } };
    expect(codeOf(send(ack))).to.equal("malformed");
    expect(codeOf(send(ack, { id: ID_B }))).to.equal("malformed");
    expect(codeOf(send(ack, { id: ID_B, bootId: BOOT_B }))).to.equal(undefined);
  });

  it("refuse a sender inside that is not the one outside, and another cluster inside", () => {
    const packet = encodePacket(ENVELOPE, { bootId: BOOT_A, counter: 0, destination: B });
    const forged = (body: Uint8Array): Uint8Array => {
      const out = Buffer.concat([packet.subarray(0, 47), body, new Uint8Array(16)]);
      const covered = Buffer.concat([
        out.subarray(0, 47),
        Buffer.from("\x03dnd"),
        Buffer.from(ID_B + BOOT_B, "hex"),
        body,
      ]);
      out.writeUInt32BE(crc32(covered), out.length - 16);
      return out;
    };
    expect(codeOf(forged(encode(ENVELOPE)))).to.equal(undefined);
    expect(codeOf(forged(encode({ ...ENVELOPE, senderId: ID_B })))).to.equal("malformed");
    expect(codeOf(forged(encode({ ...ENVELOPE, cluster: "prod" })))).to.equal("wrong-cluster");
    expect(codeOf(forged(Uint8Array.of(255)))).to.equal("malformed");
  });

  it("pad to the size that is asked for, one byte less at most", () => {
    const plain = toB().length;
    for (let size = plain - 2; size < 2000; size++) {
      const packet = encodePacket(ENVELOPE, {
        bootId: BOOT_A,
        counter: 0,
        destination: B,
        padToBytes: size,
      });
      if (size > plain + 4) expect(packet.length).to.be.within(size - 1, size);
      else expect(packet.length).to.be.within(plain, plain + 4);
      expect(codeOf(packet)).to.equal(undefined);
    }
    for (const size of [16_440, 16_441, 16_442, 16_700, 16_800, 60_000]) {
      for (let more = 0; more < 300; more++) {
        const options = { bootId: BOOT_A, counter: 0, padToBytes: size + more };
        expect(encodePacket(ENVELOPE, options).length).to.be.within(size + more - 1, size + more);
        if (size !== 16_700) break;
      }
    }
  });

  it("never throw anything but DecodeError", () => {
    const next = makePrng(11);
    const packet = toB();
    for (let i = 0; i < 20_000; i++) {
      const bytes =
        next() < 0.3
          ? Uint8Array.from({ length: Math.floor(next() * 200) }, () => next() * 256)
          : packet.slice(0, next() < 0.5 ? packet.length : Math.floor(next() * packet.length));
      for (let n = Math.floor(next() * 3); n >= 0; n--) {
        bytes[Math.floor(next() * bytes.length)] = next() * 256;
      }
      codeOf(bytes);
    }
  });
});

describe("PlainPacketCodec", () => {
  it("counts its packets and reads those of others", () => {
    const a = new PlainPacketCodec({ cluster: "dnd", id: ID_A, bootId: BOOT_A });
    const b = new PlainPacketCodec(B);
    const options = { destination: B };
    expect(b.decode(a.encode(ENVELOPE, options)).header.counter).to.equal(0);
    expect(b.decode(a.encode(ENVELOPE, options)).header.counter).to.equal(1);
  });
});
