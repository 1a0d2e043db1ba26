import { parseHostPort } from "@dnd/gossip";

/**
 * Checks what names a peer: `host:port`, `[::1]:5000`, or a service name (`_dnd._udp.example.org`), whose
 * records have the ports.
 *
 * @returns why it names none, for people; undefined if it does
 */
export function peerFault(text: string): string | undefined {
  if (/^_[A-Za-z0-9._-]+$/.test(text)) return undefined;
  try {
    const { port } = parseHostPort(text);
    return port === 0 ? "port 0 cannot be called" : undefined;
  } catch (error) {
    if (error instanceof RangeError) return "the port is above 65535";
    return "write host:port, for IPv6 [::1]:5000";
  }
}
