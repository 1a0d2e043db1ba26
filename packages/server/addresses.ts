import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

/** Whether an address reaches this machine only. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.toLowerCase();
  if (plain === "localhost" || plain.endsWith(".localhost") || plain === "::1") return true;
  const mapped = plain.startsWith("::ffff:") ? plain.slice(7) : plain;
  return isIP(mapped) === 4 && mapped.startsWith("127.");
}

/** Whether an address means "all addresses of this machine". */
export function isWildcardAddress(address: string): boolean {
  return address === "0.0.0.0" || /^[0:]+$/.test(address);
}

/** Addresses of this machine that others could reach: neither loopback nor link-local. */
export function reachableAddresses(family: "IPv4" | "any"): readonly string[] {
  const found: string[] = [];
  for (const list of Object.values(networkInterfaces())) {
    for (const { address, internal, family: kind } of list ?? []) {
      if (internal || address.startsWith("fe80:") || address.startsWith("169.254.")) continue;
      if (family === "any" || kind === family) found.push(address);
    }
  }
  return found;
}
