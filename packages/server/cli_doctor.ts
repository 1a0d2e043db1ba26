import { connect } from "node:net";
import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { parseHostPort, type HostPort } from "@dnd/gossip";
import { withClient } from "./cli_client.ts";
import type { CliProcess } from "./cli_io.ts";
import type { Typed } from "./cli_parse.ts";
import { UsageError } from "./cli_usage_error.ts";

/** One thing that was looked at. */
interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

const connectMs = 3_000;

/** `dnd doctor`: looks at a gossip address step by step, from the name to the member table. */
export function doctorCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, json, url, out }) => {
    const target = readTarget(args[0] ?? "");
    const findings: Finding[] = [];
    const addresses = await resolveNames(target, findings);
    for (const address of addresses) findings.push(await tryConnect(address, target.port));
    await askOwnNode();
    if (json) await out.write(`${JSON.stringify(findings)}\n`);
    else {
      for (const { check, ok, detail } of findings) {
        await out.write(`${ok ? "ok  " : "FAIL"}  ${check}: ${detail}\n`);
      }
    }
    return findings.every(({ ok }) => ok) ? 0 : 1;

    async function askOwnNode(): Promise<void> {
      const check = `the node at ${url}`;
      try {
        const info = await client.cluster();
        const hosts = new Set(addresses);
        const member = info.members.find(({ address }) => {
          const { host: name, port } = parseHostPort(address);
          return port === target.port && hosts.has(name);
        });
        findings.push({
          check,
          ok: member?.state === "alive",
          detail:
            member === undefined
              ? `it does not know a member there; its cluster is ${JSON.stringify(info.cluster)}. If the port is open, the other cluster name or key may differ: see the log of both`
              : `it knows ${member.name} there: ${member.state}${member.stalled ? ", stalled" : ""}${member.skewed ? ", its clock is skewed" : ""}`,
        });
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        findings.push({ check, ok: false, detail: why });
      }
    }
  });
}

function readTarget(text: string): HostPort {
  try {
    return parseHostPort(text, 5000);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function resolveNames({ host }: HostPort, findings: Finding[]): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  if (host === "localhost") return ["127.0.0.1"];
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const addresses = found.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  const [first] = found;
  findings.push({
    check: `the name ${host}`,
    ok: addresses.length > 0,
    detail:
      addresses.length > 0
        ? addresses.join(", ")
        : first?.status === "rejected"
          ? lookupProblem(first.reason as NodeJS.ErrnoException)
          : "it has no address",
  });
  return addresses;
}

function lookupProblem(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOTFOUND" || error.code === "ENODATA") return "no name server knows it";
  if (error.code === "ETIMEOUT" || error.code === "ECONNREFUSED") {
    return "no name server answers; write the IP address instead";
  }
  return error.message;
}

function tryConnect(address: string, port: number): Promise<Finding> {
  const check = `TCP ${address.includes(":") ? `[${address}]` : address}:${port}`;
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const socket = connect({ host: address, port, timeout: connectMs });
    const done = (ok: boolean, detail: string): void => {
      socket.destroy();
      resolve({ check, ok, detail });
    };
    socket.once("connect", () =>
      done(true, `open after ${(performance.now() - startedAt).toFixed(1)} ms`),
    );
    socket.once("timeout", () =>
      done(
        false,
        `no answer in ${connectMs / 1000} s: a firewall drops it, or nobody has the address`,
      ),
    );
    socket.once("error", (error: NodeJS.ErrnoException) =>
      done(
        false,
        error.code === "ECONNREFUSED"
          ? "refused: nothing listens there; is the node up, and bound to this address?"
          : error.message,
      ),
    );
  });
}
