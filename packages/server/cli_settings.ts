import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { authorityFault } from "./authority_fault.ts";
import { peerFault } from "./check_peer.ts";
import type { NodeSettings } from "./cli_option_rows.ts";
import type { Environment } from "./cli_parse.ts";
import { UsageError } from "./cli_usage_error.ts";
import type { NodeOptions } from "./node_options.ts";
import { parseTokenFile, type Tokens } from "./token_file.ts";

/** Ports that `start` uses when none are given. */
const defaultPort = 5000;
const defaultServerPort = 6000;
const webPortDistance = 80;

/** The peers to call: arguments of `join` beat `DND_SEEDS`. */
export function readSeeds(args: readonly string[], environment: Environment): readonly string[] {
  if (args.length > 0) return args.map((peer) => checkPeer(peer, "the peer"));
  const text = environment["DND_SEEDS"];
  if (text === undefined) return [];
  if (text === "") {
    throw new UsageError(
      "Cannot use the environment variable DND_SEEDS: it is empty; unset it, or give it a value",
    );
  }
  return text
    .split(",")
    .map((peer) => checkPeer(peer.trim(), "the environment variable DND_SEEDS"));
}

function checkPeer(text: string, what: string): string {
  const fault = peerFault(text);
  if (fault === undefined) return text;
  throw new UsageError(`Cannot use ${what} ${JSON.stringify(text)}: ${fault}`);
}

/** The files that SIGHUP reads again. */
export interface Secrets {
  readonly keys: readonly Uint8Array[] | undefined;
  readonly tokens: Tokens | undefined;
  readonly tls: { readonly cert: string; readonly key: string; readonly ca?: string } | undefined;
}

/** Reads key, token and certificate files. @throws {UsageError} naming the file and what is wrong */
export function readSecrets(settings: NodeSettings): Secrets {
  const { keyFile, tokenFile, tlsCert, tlsKey, tlsCa } = settings;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError("Cannot serve HTTPS: --tls-cert and --tls-key belong together");
  }
  if (tlsCa !== undefined && tlsCert === undefined) {
    throw new UsageError("Cannot use --tls-ca: it needs --tls-cert and --tls-key");
  }
  return {
    keys: keyFile === undefined ? undefined : parseKeyFile(readText(keyFile, "key file"), keyFile),
    tokens: tokenFile === undefined ? undefined : readTokens(tokenFile),
    tls:
      tlsCert === undefined || tlsKey === undefined
        ? undefined
        : readCertificates(tlsCert, tlsKey, tlsCa),
  };
}

/** What a client command shows and trusts over HTTPS. */
export interface ClientTls {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/** Reads the certificate files of a client command. @throws {UsageError} naming the file and what is wrong */
export function readClientTls(files: {
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsCa?: string | undefined;
}): ClientTls {
  const { tlsCert, tlsKey, tlsCa } = files;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError("Cannot show a certificate: --tls-cert and --tls-key belong together");
  }
  if (tlsCert !== undefined && tlsKey !== undefined) {
    return readCertificates(tlsCert, tlsKey, tlsCa);
  }
  return tlsCa === undefined ? {} : { ca: readAuthority(tlsCa) };
}

function readAuthority(file: string): string {
  const ca = readText(file, "authority");
  const fault = authorityFault(ca);
  if (fault !== undefined) throw new UsageError(`Cannot use the authority ${file}: ${fault}`);
  return ca;
}

/** They are tried before anything is touched: what does not fit together never reaches a socket. */
function readCertificates(
  certFile: string,
  keyFile: string,
  caFile: string | undefined,
): NonNullable<Secrets["tls"]> {
  const tls = {
    cert: readText(certFile, "certificate"),
    key: readText(keyFile, "private key"),
    ...(caFile === undefined ? {} : { ca: readAuthority(caFile) }),
  };
  try {
    createSecureContext(tls);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^error:[0-9A-F]+:/, "") : "";
    const authority = caFile === undefined ? "" : ` and the authority ${caFile}`;
    throw new UsageError(
      `Cannot use the certificate ${certFile} with the private key ${keyFile}${authority}: ${why}`,
    );
  }
  return tls;
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const why =
      code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "not permitted" : code;
    throw new UsageError(`Cannot read the ${what} ${path}: ${why}`);
  }
}

function readTokens(path: string): Tokens {
  try {
    return parseTokenFile(readText(path, "token file"), path);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

/** Reads a keyring: one base64 key of 32 bytes a line; empty lines and `#` lines are passed over. */
export function parseKeyFile(text: string, name: string): readonly Uint8Array[] {
  const keys: Uint8Array[] = [];
  text.split(/\r?\n/).forEach((line, index) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return;
    const bytes = /^[A-Za-z0-9+/]{43}=$/.test(trimmed) ? Buffer.from(trimmed, "base64") : undefined;
    if (bytes?.length !== 32) {
      throw new UsageError(
        `Cannot read line ${index + 1} of ${name}: a key is 32 bytes in base64; dnd keygen makes one`,
      );
    }
    const before = keys.findIndex((key) => bytes.equals(key));
    if (before !== -1) {
      throw new UsageError(
        `Cannot read line ${index + 1} of ${name}: the same key is there already; leave one of them`,
      );
    }
    keys.push(new Uint8Array(bytes));
  });
  if (keys.length === 0) {
    throw new UsageError(`Cannot use ${name}: it holds no key; dnd keygen makes one`);
  }
  return keys;
}

/**
 * Turns what was typed into the options of a node.
 *
 * @throws {UsageError} for options that do not go together
 */
export function toNodeOptions(
  settings: NodeSettings,
  seeds: readonly string[],
  secrets: Secrets,
): NodeOptions {
  const port = settings.port ?? defaultPort;
  const serverPort = settings.serverPort ?? defaultServerPort;
  const webPort = settings.webPort ?? (serverPort === 0 ? 0 : serverPort + webPortDistance);
  if (webPort !== "off" && webPort > 65_535) {
    throw new UsageError(
      `Cannot use the server port ${serverPort}: ${webPort} is no port for browsers; give --web-port`,
    );
  }
  if (settings.memory === true && settings.dataDir !== undefined) {
    throw new UsageError(
      "Cannot use --memory and --data-dir together: one keeps what the other drops",
    );
  }
  if (port === 0 && settings.memory !== true && settings.dataDir === undefined) {
    throw new UsageError(
      "Cannot use --port 0 alone: the data folder is named after the port; give --data-dir or --memory",
    );
  }
  const named = [port, serverPort, webPort].filter((value) => value !== 0 && value !== "off");
  if (new Set(named).size < named.length) {
    throw new UsageError(
      `Cannot use the ports ${port}, ${serverPort} and ${webPort}: gossip, HTTP and web each need their own`,
    );
  }
  return {
    port,
    seeds,
    ...pick(settings, ["address", "advertise", "durability", "cluster", "name", "insecure"]),
    ...pick(settings, ["profile", "maxValueBytes", "maxDriftMs", "maxDatagramBytes", "sealing"]),
    ...(typeof settings.forgetAfterMs === "number"
      ? { forgetAfterMs: settings.forgetAfterMs }
      : {}),
    ...(settings.memory === true ? {} : { dataDir: settings.dataDir ?? `.dnd/${port}` }),
    ...(secrets.keys === undefined ? {} : { keys: secrets.keys }),
    http: {
      port: serverPort,
      webPort,
      ...(settings.serverAddress === undefined ? {} : { address: settings.serverAddress }),
      ...(secrets.tokens === undefined ? {} : { tokens: secrets.tokens }),
      ...(secrets.tls === undefined ? {} : { tls: secrets.tls }),
      ...(settings.allowHost === undefined ? {} : { allowHosts: settings.allowHost }),
      ...(settings.allowOrigin === undefined ? {} : { allowOrigins: settings.allowOrigin }),
      accessLog: settings.accessLog ?? false,
    },
  };
}

function pick<K extends keyof NodeSettings>(
  settings: NodeSettings,
  names: readonly K[],
): Pick<NodeSettings, K> {
  return Object.fromEntries(
    names.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])),
  ) as Pick<NodeSettings, K>;
}
