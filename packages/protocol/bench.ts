// Packets and entries a second, each beside something that everybody knows, measured by turns in one
// run. `npx nx run protocol:bench`
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import process from "node:process";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { Keyring } from "./keyring.ts";
import type { Envelope, Member, Update } from "./messages.ts";
import { decodePacket, encodePacket } from "./packet.ts";
import { SealedPacketCodec } from "./sealed_packet_codec.ts";

const ROUNDS = 9;
const ROUND_MS = 120;

/** Times a second, the median of rounds that take turns with the others of the same group. */
function measure(runs: Readonly<Record<string, () => void>>): Record<string, number> {
  const rates: Record<string, number[]> = {};
  const round = (name: string, run: () => void): void => {
    let times = 0;
    const start = performance.now();
    let spent = 0;
    while (spent < ROUND_MS) {
      run();
      times++;
      spent = performance.now() - start;
    }
    (rates[name] ??= []).push((times * 1000) / spent);
  };
  for (let i = 0; i <= ROUNDS; i++)
    for (const [name, run] of Object.entries(runs)) round(name, run);
  return Object.fromEntries(
    Object.entries(rates).map(([name, list]) => {
      const sorted = list.slice(1).sort((a, b) => a - b);
      return [name, sorted[Math.floor(sorted.length / 2)] ?? 0];
    }),
  );
}

function row(what: string, rate: number, unit: string, besides: string, other: number): void {
  const rounded = Number(rate.toPrecision(2)).toLocaleString("en");
  process.stdout.write(
    `| ${what} | ${rounded} ${unit} | ${besides} | ${(rate / other).toFixed(2)} |\n`,
  );
}

const id = (n: number): string => n.toString(16).padStart(2, "0").repeat(16);
const A = { cluster: "dnd", id: id(1), bootId: "0011223344556677" };
const B = { cluster: "dnd", id: id(2), bootId: "8899aabbccddeeff" };
const TIME = 115_000_000_000_000;

// ---------------------------------------------------------------------------------------- entries

const ENTRIES = 1000;
const update: Update = {
  counter: 1000,
  skipped: 0,
  entries: Array.from({ length: ENTRIES }, (_, i) => ({
    key: `user/${i}`,
    value: randomBytes(100),
    version: { time: TIME + i, node: id(i % 5) },
    contentType: "application/json",
    hash: Uint8Array.from(randomBytes(8)),
  })),
};
const toText = (): string =>
  JSON.stringify(update, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value,
  );
const plainUpdate = {
  counter: update.counter,
  entries: update.entries.map((entry) => ({
    ...entry,
    value: Buffer.from(entry.value),
    hash: Buffer.from(entry.hash ?? []),
  })),
};
const toJson = (): string =>
  JSON.stringify({
    counter: plainUpdate.counter,
    entries: plainUpdate.entries.map((entry) => ({
      ...entry,
      value: entry.value.toString("base64"),
      hash: entry.hash.toString("base64"),
    })),
  });
interface JsonUpdate {
  entries: { value: string | Buffer; hash: string | Buffer }[];
}
const fromJson = (text: string): JsonUpdate => {
  const read = JSON.parse(text) as JsonUpdate;
  for (const entry of read.entries) {
    entry.value = Buffer.from(entry.value as string, "base64");
    entry.hash = Buffer.from(entry.hash as string, "base64");
  }
  return read;
};

const updateBytes = encode(update, "Update");
const updateText = toText();
const entries = measure({
  encode: () => void encode(update, "Update"),
  stringify: () => void toJson(),
  decode: () => void decode(updateBytes, "Update"),
  parse: () => void fromJson(updateText),
});

// ---------------------------------------------------------------------------------------- packets

const member = (n: number): Member => ({
  id: id(n),
  generation: 3,
  incarnation: 4,
  state: "alive",
  address: `10.0.0.${n}:5000`,
  name: `node-${n}`,
  metadata: new Uint8Array(20),
  flags: 2,
  protocolMin: 1,
  protocolMax: 1,
  seen: TIME,
  departed: 0,
  accuser: "",
  evidence: 0,
  bootId: B.bootId,
});
const envelope: Envelope = {
  protocolVersion: 1,
  cluster: "dnd",
  senderId: A.id,
  generation: 3,
  incarnation: 4,
  wall: Date.now(),
  view: 12345,
  message: {
    type: "ping",
    sequence: 77,
    target: B.id,
    summary: {
      clock: TIME,
      generation: 3,
      counter: 12_345,
      digest: new Uint8Array(8),
      algorithm: 1,
      scope: new Uint8Array(0),
      horizon: TIME,
      flags: 2,
      seen: TIME,
    },
  },
  members: Array.from({ length: 6 }, (_, i) => member(i + 3)),
  updates: [encode({ entries: update.entries.slice(0, 1) }, "Update")],
  padding: 0,
};
const packet = encodePacket(envelope, { bootId: A.bootId, counter: 1, destination: B });
const envelopeText = JSON.stringify(envelope);
const keyring = new Keyring([randomBytes(32)]);
const sealer = new SealedPacketCodec(A, { keyring });
const opener = new SealedPacketCodec(B, { keyring });
const key = randomBytes(32);
const body = encode(envelope);
const additional = Buffer.alloc(75);
const nonces = Buffer.alloc(12);

function bareSeal(): { sealed: Buffer; tag: Buffer } {
  nonces.writeUInt32BE((nonces.readUInt32BE(0) + 1) >>> 0, 0);
  const cipher = createCipheriv("aes-256-gcm", key, nonces);
  cipher.setAAD(additional);
  const sealed = cipher.update(body);
  cipher.final();
  return { sealed, tag: cipher.getAuthTag() };
}

const nonce = Buffer.from(nonces);
nonce.writeUInt32BE(1, 0);
const bare = bareSeal();
function bareOpen(): void {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce);
  decipher.setAAD(additional);
  decipher.setAuthTag(bare.tag);
  decipher.update(bare.sealed);
  decipher.final();
}

// A packet opens once: what was sealed in one round is opened in the same.
const SEALED = 64;
let waiting: Uint8Array[] = [];
const seal = (): void => {
  if (waiting.length >= SEALED) waiting = [];
  waiting.push(sealer.encode(envelope, { destination: B }));
};
const packets = measure({
  encode: () => void encodePacket(envelope, { bootId: A.bootId, counter: 1, destination: B }),
  stringify: () => void JSON.stringify(envelope),
  decode: () => void decodePacket(packet, B),
  parse: () => void JSON.parse(envelopeText),
  seal,
  bareSeal: () => void bareSeal(),
  sealAndOpen: () => void opener.decode(sealer.encode(envelope, { destination: B })),
  bareOpen,
});
const rate = (name: string): number => packets[name] ?? 0;
const openRate = 1 / (1 / rate("sealAndOpen") - 1 / rate("seal"));

process.stdout.write(
  `Node ${process.version}; a packet of ${packet.length} bytes: ping, 6 members, 1 entry.\n\n`,
);
process.stdout.write("| what | a second | beside | ratio |\n|---|---|---|---|\n");
const perEntry = (name: string): number => (entries[name] ?? 0) * ENTRIES;
row(
  "encode an update, 100-byte values",
  perEntry("encode"),
  "entries",
  "JSON.stringify, base64",
  perEntry("stringify"),
);
row("decode it", perEntry("decode"), "entries", "JSON.parse, base64", perEntry("parse"));
row(
  "encode a plain packet",
  rate("encode"),
  "packets",
  "JSON.stringify of the envelope",
  rate("stringify"),
);
row("decode it", rate("decode"), "packets", "JSON.parse", rate("parse"));
row("seal a packet", rate("seal"), "packets", "bare AES-256-GCM of its body", rate("bareSeal"));
row("open it", openRate, "packets", "bare AES-256-GCM", rate("bareOpen"));
