import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { BindError, formatHostPort } from "@dnd/gossip";
import type { ResolvedNodeOptions } from "./node_options.ts";

/**
 * Looks whether the ports are free before the data folder is touched: a start that cannot succeed leaves
 * no trace. The sockets are bound for good later; who takes a port in between gets the same error there.
 *
 * @throws {BindError} naming the port
 */
export async function checkPorts(options: ResolvedNodeOptions): Promise<void> {
  const address = options.address === "localhost" ? "127.0.0.1" : options.address;
  if (options.port !== 0) {
    await tryTcp(address, options.port, "TCP");
    await tryUdp(address, options.port);
  }
  const { http } = options;
  for (const port of [http?.port ?? 0, http?.webPort ?? 0]) {
    if (port !== 0 && port !== "off") await tryTcp(http?.address ?? address, port, "HTTP");
  }
}

async function tryTcp(host: string, port: number, protocol: "TCP" | "HTTP"): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new BindError(protocol as "TCP", formatHostPort(host, port), error)),
    );
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

async function tryUdp(host: string, port: number): Promise<void> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(new BindError("UDP", formatHostPort(host, port), error));
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve()));
  });
}
