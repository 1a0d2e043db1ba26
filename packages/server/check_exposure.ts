import { isLoopbackAddress } from "./addresses.ts";
import type { ResolvedNodeOptions } from "./node_options.ts";

/**
 * Nobody gets in by default: an address that others can reach needs keys, tokens or a word of its own.
 *
 * @throws {TypeError} that says which option is missing
 */
export function checkExposure(options: ResolvedNodeOptions): void {
  if (options.insecure === true) return;
  if (!isLoopbackAddress(options.address) && (options.keys ?? []).length === 0) {
    throw new TypeError(
      `Cannot bind gossip to ${options.address}: anybody in reach could join without keys; ` +
        "give keys (--key-file), or allow it with insecure (--insecure)",
    );
  }
  const { http } = options;
  if (http === undefined) return;
  // Whoever mounts the handler decides who reaches it.
  if (http.port === "off" && (http.webPort ?? "off") === "off") return;
  const address = http.address ?? options.address;
  if (isLoopbackAddress(address)) return;
  if ((http.tokens?.size ?? 0) === 0 && http.tls?.ca === undefined) {
    throw new TypeError(
      `Cannot bind HTTP to ${address}: anybody in reach could write without tokens or client ` +
        "certificates; give tokens (--token-file) or a CA (--tls-ca), or allow it with insecure (--insecure)",
    );
  }
}
