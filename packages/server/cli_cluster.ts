import { printable, table, withClient } from "./cli_client.ts";
import type { CliProcess } from "./cli_io.ts";
import type { Typed } from "./cli_parse.ts";

/** `dnd members`. */
export function membersCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, json, out }) => {
    const { members } = await client.cluster();
    if (json) {
      await out.write(`${JSON.stringify(members)}\n`);
      return 0;
    }
    const lines = members.map((member) => [
      member.id,
      printable(member.name),
      member.address,
      member.httpAddress ?? "-",
      member.state,
      [
        ...(member.self ? ["self"] : []),
        ...(member.stalled ? ["stalled"] : []),
        ...(member.skewed ? ["skewed"] : []),
      ].join(","),
      member.rttMs === null ? "-" : `${member.rttMs.toFixed(1)} ms`,
    ]);
    await out.write(table(["ID", "NAME", "GOSSIP", "HTTP", "STATE", "FLAGS", "RTT"], lines));
    return 0;
  });
}

/** `dnd status`. */
export function statusCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, json, settings, out }) => {
    const readiness = await client.readiness();
    if (settings["ready"] === true) {
      const why = readiness.ready ? "ready" : `not ready: ${(readiness.reasons ?? []).join("; ")}`;
      await out.write(json ? `${JSON.stringify(readiness)}\n` : `${why}\n`);
      return readiness.ready ? 0 : 1;
    }
    const info = await client.cluster();
    if (json) {
      await out.write(`${JSON.stringify({ ...info, readiness })}\n`);
      return 0;
    }
    const up = info.members.filter(({ state }) => state === "alive").length;
    const lines: [string, string][] = [
      ["node", `${info.node} (${printable(info.name)})`],
      ["cluster", `${printable(info.cluster)}, ${up} of ${info.members.length} members alive`],
      [
        "ready",
        readiness.ready ? readyText(readiness.alone) : (readiness.reasons ?? []).join("; "),
      ],
      ["keys", String(info.keys)],
      ["digest", info.digest],
      ["version", `${info.version}, generation ${info.generation}`],
    ];
    await out.write(lines.map(([name, text]) => `${name.padEnd(8)} ${text}\n`).join(""));
    return 0;
  });
}

function readyText(alone: boolean | undefined): string {
  return alone === true ? "yes, alone" : "yes";
}

/** `dnd explain`. */
export function explainCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, json, out }) => {
    const explanation = await client.explain(args[0] ?? "");
    if (json) {
      await out.write(`${JSON.stringify(explanation)}\n`);
      return explanation.etag === undefined ? 1 : 0;
    }
    await out.write(`${printable(explanation.key)}: ${explanation.reason}\n`);
    const lines = explanation.members.map((member) => [
      member.winner === true ? "*" : "",
      printable(member.name),
      member.state,
      member.deleted === true ? "deleted" : member.answer,
      member.etag ?? "-",
      member.size === undefined ? "-" : String(member.size),
      member.expires ?? "-",
    ]);
    await out.write(table(["", "MEMBER", "STATE", "HOLDS", "VERSION", "BYTES", "EXPIRES"], lines));
    return explanation.etag === undefined ? 1 : 0;
  });
}

/** `dnd leave`. */
export function leaveCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, json, out }) => {
    await client.leave({ timeoutMs: 60_000 });
    await out.write(json ? "{}\n" : "the node has left the cluster\n");
    return 0;
  });
}

/** `dnd forget`. */
export function forgetCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, json, out }) => {
    await client.forget(args[0] ?? "");
    await out.write(json ? "{}\n" : "forgotten\n");
    return 0;
  });
}
