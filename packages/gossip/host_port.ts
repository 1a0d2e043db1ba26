import { isIP } from "node:net";

/** A host (name or IP literal, IPv6 without brackets) and a port. */
export interface HostPort {
  host: string;
  port: number;
}

const namePattern = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/;

/**
 * Parses `host:port`; IPv6 is written `[::1]:5000`. The port may be left out when `defaultPort` is given.
 *
 * @param text for example `10.0.0.7:5000`, `db-1.internal:5000`, `[::1]:5000`
 * @param defaultPort the port of a text without one; absent = a port is required
 * @returns host and port (0 to 65535)
 * @throws {TypeError} when the text is not of this form
 * @throws {RangeError} when the port is not 0 to 65535
 * @example
 * ```ts
 * import { parseHostPort } from "@dnd/gossip";
 * parseHostPort("[::1]:5000"); // { host: "::1", port: 5000 }
 * ```
 */
export function parseHostPort(text: string, defaultPort?: number): HostPort {
  const match =
    /^\[([^\]]*)\](?::([0-9]+))?$/.exec(text) ?? /^([^:[\]]+)(?::([0-9]+))?$/.exec(text);
  const host = match?.[1] ?? "";
  const bracketed = text.startsWith("[");
  if (match === null || (bracketed ? isIP(host) !== 6 : !isHost(host))) {
    throw new TypeError(
      `Cannot read the address ${JSON.stringify(text)}: write host:port, or [::1]:5000 for IPv6`,
    );
  }
  const port = match[2] === undefined ? defaultPort : Number(match[2]);
  if (port === undefined) {
    throw new TypeError(`Cannot read the address ${JSON.stringify(text)}: the port is missing`);
  }
  if (!(port >= 0 && port <= 65_535)) {
    throw new RangeError(
      `Cannot read the address ${JSON.stringify(text)}: the port is above 65535`,
    );
  }
  return { host: host.toLowerCase(), port };
}

/**
 * Writes an address the way every part of dnd writes it: IPv6 in brackets, an IPv4 address that arrived
 * on an IPv6 socket (`::ffff:10.0.0.7`) as plain IPv4.
 *
 * @param host a name or an IP literal without brackets
 * @param port 0 to 65535
 * @example
 * ```ts
 * import { formatHostPort } from "@dnd/gossip";
 * formatHostPort("::ffff:10.0.0.7", 5000); // "10.0.0.7:5000"
 * ```
 */
export function formatHostPort(host: string, port: number): string {
  const plain = unmapAddress(host);
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/**
 * An IPv4 address that was mapped into IPv6 (`::ffff:10.0.0.7`) as IPv4; anything else unchanged.
 *
 * @param address an IP literal
 */
export function unmapAddress(address: string): string {
  if (!address.startsWith("::ffff:")) return address;
  const rest = address.slice(7);
  return isIP(rest) === 4 ? rest : address;
}

function isHost(host: string): boolean {
  if (isIP(host) === 4) return true;
  // A name made of digits and dots alone is a mistyped address, not a name.
  return host.length <= 253 && namePattern.test(host) && !/^[0-9.]+$/.test(host);
}
