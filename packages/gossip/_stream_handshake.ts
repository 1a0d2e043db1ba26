import type { Duplex } from "node:stream";
import { connect as connectTcp, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import {
  type Hello,
  MAX_FRAME_BYTES,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  type Refusal,
} from "@dnd/protocol";
import { type FrameLimits, FrameSocket } from "./_frame_socket.ts";
import { parseHostPort } from "./host_port.ts";
import { PeerStream } from "./peer_stream.ts";
import {
  fromSocketError,
  PeerStreamError,
  type PeerStreamErrorCode,
  type StreamRefusal,
} from "./peer_stream_error.ts";

/** Keys of the streams, asked anew for every connection, so that they can rotate. */
export interface StreamKeys {
  /** The key that streams are opened with; undefined = none, they are plain. */
  first: StreamKey | undefined;
  /** The key with this id, if it is accepted. */
  find(id: string): StreamKey | undefined;
  /** Whether streams without TLS are refused. */
  required: boolean;
  /** Whether there is any key. */
  configured: boolean;
}

/** A key that seals streams: its id in hex is the TLS identity, the secret is derived from the ring key. */
export interface StreamKey {
  id: string;
  psk: Uint8Array;
}

/** What a node says of itself at the start of a stream. */
export type LocalHello = () => Omit<
  Hello,
  "purpose" | "target" | "protocolMin" | "protocolMax" | "extra"
>;

/**
 * TLS 1.3 with nothing but a pre-shared key. Of the suites OpenSSL takes with such a key only those with
 * SHA-256 work through node's callback.
 */
export const tlsOptions = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256",
} as const;

/** Options of {@linkcode openPeerStream}. */
export interface OpenOptions {
  /** `host:port` with an IP literal. */
  address: string;
  purpose: string;
  /** The id that must live there, 32 hex digits; absent = whoever does. */
  target?: string | undefined;
  local: LocalHello;
  keyring: StreamKeys;
  limits: FrameLimits;
  /** For connection, TLS and both hellos together, ms. */
  timeoutMs: number;
  /** Any of them gives the attempt up; a stream that is open is not affected. */
  signals: readonly AbortSignal[];
}

/**
 * Connects, proves the key, exchanges hellos. While a cluster is being switched over (`permissive`) a peer
 * that cuts TLS off is tried without, because it may not have a key yet.
 *
 * @throws {PeerStreamError} with the reason; nothing is left open
 */
export async function openPeerStream(options: OpenOptions): Promise<PeerStream> {
  const { keyring, timeoutMs } = options;
  const until = performance.now() + timeoutMs;
  try {
    return await openOnce(options, keyring.first);
  } catch (error) {
    const { code } = error as PeerStreamError;
    const cutOff = code === "unauthenticated" || code === "unreachable";
    const left = until - performance.now();
    if (!cutOff || !keyring.configured || keyring.required || left < 1) throw error;
    return await openOnce({ ...options, timeoutMs: left }, undefined);
  }
}

async function openOnce(options: OpenOptions, key: StreamKey | undefined): Promise<PeerStream> {
  const { address, local, purpose, timeoutMs } = options;
  const { host, port } = parseHostPort(address);
  const raw = connectTcp({ host, port, noDelay: true, lookup: noLookup });
  let socket: Socket | TLSSocket = raw;
  if (key !== undefined) {
    socket = connectTls({
      socket: raw,
      ...tlsOptions,
      pskCallback: () => ({ psk: key.psk, identity: key.id }),
      checkServerIdentity: () => undefined, // the key is the identity
    });
  }
  // Errors are read from the promise below and from FrameSocket; between them they must not go unheard.
  raw.on("error", () => undefined);
  socket.on("error", () => undefined);
  const timeout = new PeerStreamError("timeout", `${address}: no hello within ${timeoutMs} ms`);
  let frames: FrameSocket | undefined;
  const abort = (error: Error): void => {
    if (frames !== undefined) frames.destroy(fromSocketError(error, address));
    socket.destroy(error);
    raw.destroy();
  };
  const timer = setTimeout(() => abort(timeout), timeoutMs);
  const onAbort = (): void => abort(new PeerStreamError("closed", `${address}: given up`));
  for (const signal of options.signals) signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (options.signals.some(({ aborted }) => aborted)) onAbort();
    await connected(socket, raw, key === undefined ? "connect" : "secureConnect", address);
    raw.setKeepAlive(true, 15_000);
    frames = new FrameSocket(socket, options.limits, address);
    const own = ownHello(local, purpose, options.target);
    frames.send({ body: { type: "hello", ...own } });
    const answer = await frames.next();
    if (answer === undefined) {
      const why = "closed without a word (its keys may be others, or it has none)";
      throw new PeerStreamError("unreachable", `${address}: ${why}`);
    }
    const hello = answer.body;
    if (hello?.type === "refusal") throw refused(address, hello);
    if (hello?.type !== "hello") {
      throw new PeerStreamError("malformed", `${address}: said something else than hello`);
    }
    const wrong = judgeHello(hello, own, options.target);
    if (wrong !== undefined) throw new PeerStreamError(wrong.code, `${address}: ${wrong.detail}`);
    frames.maxFrameBytes = MAX_FRAME_BYTES;
    return new PeerStream(frames, { purpose, hello, incoming: false, keyId: key?.id });
  } catch (error) {
    const reason = fromSocketError(error as Error, address);
    abort(reason);
    throw reason;
  } finally {
    clearTimeout(timer);
    for (const signal of options.signals) signal.removeEventListener("abort", onAbort);
  }
}

/** This node's hello. */
export function ownHello(local: LocalHello, purpose: string, target = ""): Hello {
  const range = { protocolMin: PROTOCOL_VERSION_MIN, protocolMax: PROTOCOL_VERSION };
  return { ...local(), ...range, purpose, target };
}

/** What a hello is not served for. */
export interface HelloFault {
  code: PeerStreamErrorCode;
  detail: string;
}

/**
 * Compares the two hellos.
 *
 * @param target the id that must be at the other end
 */
export function judgeHello(theirs: Hello, own: Hello, target?: string): HelloFault | undefined {
  if (theirs.cluster !== own.cluster) {
    const detail = `belongs to cluster ${JSON.stringify(theirs.cluster)}, this node to ${JSON.stringify(own.cluster)}`;
    return { code: "wrong-cluster", detail };
  }
  if (theirs.protocolMax < own.protocolMin || theirs.protocolMin > own.protocolMax) {
    const range = `${theirs.protocolMin} to ${theirs.protocolMax}`;
    const detail = `speaks protocol ${range}, this node ${own.protocolMin} to ${own.protocolMax}`;
    return { code: "wrong-version", detail };
  }
  if (target !== undefined && theirs.id !== target) {
    return { code: "wrong-node", detail: `is node ${theirs.id}, not ${target}` };
  }
  return undefined;
}

function refused(address: string, refusal: Refusal): PeerStreamError {
  const said: StreamRefusal = {
    code: refusal.code,
    detail: refusal.detail,
    retryAfterMs: refusal.retryAfterMs,
  };
  const known: Partial<Record<string, PeerStreamErrorCode>> = {
    "wrong-cluster": "wrong-cluster",
    "wrong-version": "wrong-version",
    "wrong-node": "wrong-node",
  };
  const text = said.detail === "" ? said.code : `${said.code}, ${said.detail}`;
  return new PeerStreamError(known[said.code] ?? "refused", `${address}: refused: ${text}`, {
    refusal: said,
  });
}

async function connected(
  socket: Duplex,
  raw: Socket,
  event: string,
  address: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => reject(fromSocketError(error, address));
    const cut = (): void =>
      reject(new PeerStreamError("unreachable", `${address}: the connection was cut`));
    socket.once(event, () => {
      socket.off("error", fail);
      socket.off("close", cut);
      resolve();
    });
    socket.once("error", fail);
    socket.once("close", cut);
    if (raw !== socket) raw.once("error", fail);
  });
}

const noLookup: LookupFunction = (host, _options, callback) => {
  callback(new PeerStreamError("unreachable", `${host}: not an IP address`), "", 0);
};
