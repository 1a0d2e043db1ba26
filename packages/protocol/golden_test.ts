import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { expect } from "chai";
import { BOOT_A, BOOT_B, ID_A, ID_B, MESSAGE_NAMES, ramp, SAMPLES } from "./_test_utils.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { encodeFrame, FrameDecoder } from "./frame.ts";
import { Keyring } from "./keyring.ts";
import type { Envelope, MessageName } from "./messages.ts";
import { decodePacket, encodePacket, type PacketOptions } from "./packet.ts";
import { SealedPacketCodec } from "./sealed_packet_codec.ts";

// The bytes in testdata/golden.json are the format: other versions and other languages have them too.
// Cases are added (`DND_WRITE_GOLDEN=1`, which keeps the old ones), never changed.

interface Golden {
  readonly description: string;
  readonly kind: "message" | "packet" | "sealed" | "frame";

  /** Of a message: its name in `dnd.proto`. */
  readonly message?: MessageName;

  /** What the bytes say; byte strings as `{"hex": ...}`. */
  readonly content: unknown;
  readonly hex: string;
}

const FILE = new URL("../testdata/golden.json", import.meta.url);

/** Who receives the packets, and the key of the sealed ones. */
const RECEIVER = { cluster: "dnd", id: ID_B, bootId: BOOT_B };
const KEY = ramp(32);

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return { hex: toHex(value) };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]));
}

function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== "object" || value === null) return value;
  if ("hex" in value) return fromHex(value.hex as string);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
}

function packetCase(description: string, envelope: Envelope, options: PacketOptions): Golden {
  const hex = toHex(
    encodePacket(envelope, { ...options, bootId: BOOT_A, counter: 258, random: 7 }),
  );
  return { description, kind: "packet", content: toJson(envelope), hex };
}

function makeCases(): Golden[] {
  const envelope: Envelope = { ...SAMPLES.Envelope, padding: 0 };
  const sealer = new SealedPacketCodec(
    { cluster: "dnd", id: ID_A, bootId: BOOT_A },
    { keyring: new Keyring([KEY]) },
  );
  const future = Uint8Array.of(0xa2, 0x06, 2, 0x68, 0x69);
  return [
    ...MESSAGE_NAMES.map((message): Golden => ({
      description: `${message} with every field`,
      kind: "message",
      message,
      content: toJson(SAMPLES[message]),
      hex: toHex(encode(SAMPLES[message], message)),
    })),
    {
      description: "Entry with a field of the future (number 100)",
      kind: "message",
      message: "Entry",
      content: toJson({ ...SAMPLES.Entry, extra: future }),
      hex: toHex(encode({ ...SAMPLES.Entry, extra: future }, "Entry")),
    },
    {
      description: "Entry of a map of its own, node a",
      kind: "message",
      message: "Entry",
      content: toJson({ ...SAMPLES.Entry, version: { time: 5, node: "a" } }),
      hex: toHex(encode({ ...SAMPLES.Entry, version: { time: 5, node: "a" } }, "Entry")),
    },
    packetCase("plain packet to a known process, counter 258, random 7", envelope, {
      destination: RECEIVER,
    }),
    packetCase("plain packet to an unknown process (a join)", envelope, {}),
    {
      description: `sealed packet, ring key ${toHex(KEY)}`,
      kind: "sealed",
      content: toJson(envelope),
      hex: toHex(sealer.encode(envelope, { destination: RECEIVER })),
    },
    {
      description: "frame of a peer stream: hello",
      kind: "frame",
      content: toJson({ body: { type: "hello", ...SAMPLES.Hello } }),
      hex: toHex(encodeFrame({ type: "hello", ...SAMPLES.Hello })),
    },
    {
      description: "frame of a peer stream: entries",
      kind: "frame",
      content: toJson({ body: { type: "entries", ...SAMPLES.Update } }),
      hex: toHex(encodeFrame({ type: "entries", ...SAMPLES.Update })),
    },
  ];
}

if (process.env["DND_WRITE_GOLDEN"] === "1") {
  let before: Golden[] = [];
  try {
    before = JSON.parse(readFileSync(FILE, "utf8")) as Golden[];
  } catch {
    // the first time
  }
  const known = new Set(
    before.map(({ description, hex, kind }) => description + (kind === "sealed" ? "" : hex)),
  );
  const added = makeCases().filter(
    ({ description, hex, kind }) => !known.has(description + (kind === "sealed" ? "" : hex)),
  );
  writeFileSync(FILE, `${JSON.stringify([...before, ...added], null, 2)}\n`);
}

describe("testdata/golden.json", () => {
  const cases = JSON.parse(readFileSync(FILE, "utf8")) as Golden[];

  for (const { description, kind, message, content, hex } of cases) {
    it(`still has the same bytes: ${description}`, () => {
      const bytes = fromHex(hex);
      const expected = fromJson(content);
      switch (kind) {
        case "message": {
          // Fields added since have their defaults, which are not on the wire.
          const decoded = decode(bytes, message ?? "Envelope");
          expect(toHex(encode(decoded as never, message ?? "Envelope"))).to.equal(hex);
          expect(toHex(encode(expected as never, message ?? "Envelope"))).to.equal(hex);
          break;
        }
        case "packet": {
          const packet = decodePacket(bytes, RECEIVER);
          expect(encode(packet.envelope)).to.deep.equal(encode(expected as Envelope));
          const { bootId, counter } = packet.header;
          const again = encodePacket(packet.envelope, {
            bootId,
            counter,
            random: 7,
            destination: packet.addressed ? RECEIVER : {},
          });
          expect(toHex(again)).to.equal(hex);
          break;
        }
        case "sealed": {
          const codec = new SealedPacketCodec(RECEIVER, { keyring: new Keyring([KEY]) });
          const { envelope } = codec.decode(bytes);
          expect(encode(envelope)).to.deep.equal(encode(expected as Envelope));
          break;
        }
        case "frame":
          expect([...new FrameDecoder().push(bytes)].map(encodeFrame).map(toHex)).to.deep.equal([
            hex,
          ]);
          expect(toHex(encodeFrame(expected as never))).to.equal(hex);
      }
    });
  }

  it("has every message of dnd.proto as it is now", () => {
    const known = new Set(cases.map(({ hex }) => hex));
    const missing = makeCases().filter(({ hex, kind }) => kind !== "sealed" && !known.has(hex));
    expect(missing.map(({ description }) => description)).to.deep.equal([]);
  });
});
