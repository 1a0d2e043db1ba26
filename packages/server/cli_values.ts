import { readFileSync } from "node:fs";
import { DndError, isJsonType, type PutOptions, type WriteConcern } from "@dnd/client";
import { printable, table, withClient, type ClientCall } from "./cli_client.ts";
import type { CliProcess } from "./cli_io.ts";
import type { Typed } from "./cli_parse.ts";
import { UsageError } from "./cli_usage_error.ts";

/** `dnd get`: the bytes as they are stored. */
export function getCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async (call) => {
    const { args, client, json, out } = call;
    const key = args[0] ?? "";
    if (json || /(?:^|\/)\.\.?(?:\/|$)/.test(key)) {
      const entry = await client.entry(key);
      if (entry === undefined) return notFound(host, key);
      const { value, ...info } = entry;
      const shown = value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
      if (json) await out.write(`${JSON.stringify({ ...info, value: shown })}\n`);
      else if (value instanceof Uint8Array) await out.write(value);
      else await out.write(typeof value === "string" ? value : JSON.stringify(value));
      return 0;
    }
    // Not decoded and encoded again: what was stored is what comes out.
    const answer = await rawGet(call, key);
    if (answer === undefined) return notFound(host, key);
    await out.write(answer.bytes);
    const text = /^text\/|json/.test(answer.type);
    if (text && host.stdout.isTTY === true && answer.bytes.at(-1) !== 10) await out.write("\n");
    return 0;
  });
}

async function rawGet({ url, token, fetch, client, signal, settings }: ClientCall, key: string) {
  const path = `${url}/kv/${key.split("/").map(encodeURIComponent).join("/")}`;
  const timeout = AbortSignal.timeout((settings["timeoutMs"] as number | undefined) ?? 10_000);
  let response: Response;
  try {
    response = await fetch(path, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, timeout]),
    });
    if (response.status === 200) {
      const bytes = new Uint8Array(await response.arrayBuffer());
      return { bytes, type: response.headers.get("content-type") ?? "" };
    }
  } catch {
    // The client asks again, and knows how to say what is wrong.
  }
  const entry = await client.entry(key);
  if (entry === undefined) return undefined;
  throw new DndError(
    "invalid-response",
    `Cannot get ${JSON.stringify(key)}: the node's answer changed`,
  );
}

function notFound(host: CliProcess, key: string): number {
  host.stderr.write(`dnd: there is no key ${JSON.stringify(key)}\n`);
  return 1;
}

/** `dnd put`: a JSON value is stored as JSON, other text as text. */
export function putCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, settings, json, out }) => {
    const [key = "", given] = args;
    const file = settings["file"] as string | undefined;
    if (file !== undefined && given !== undefined) {
      throw new UsageError("Cannot put a value and a file: give one of them");
    }
    const type = settings["type"] as string | undefined;
    const bytes =
      file !== undefined
        ? readValueFile(file)
        : given === undefined || given === "-"
          ? await readAll(host.stdin)
          : new TextEncoder().encode(given);
    const contentType = type ?? typeOf(bytes);
    const value = isJsonType(contentType) ? new TextDecoder().decode(bytes) : bytes;
    const ttlMs = settings["ttlMs"] as number | undefined;
    const w = settings["w"] as WriteConcern | undefined;
    const options: PutOptions = {
      contentType,
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(w === undefined ? {} : { w }),
    };
    const { etag, acked, needed, members } = await client.put(key, value, options);
    await out.write(
      json ? `${JSON.stringify({ key, etag, contentType, acked, needed, members })}\n` : "OK\n",
    );
    return 0;
  });
}

function readValueFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot read ${path}: ${why}`);
  }
}

async function readAll(stdin: NodeJS.ReadableStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin) {
    chunks.push(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** JSON if it is JSON, text if it is UTF-8, bytes otherwise. */
function typeOf(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return "application/octet-stream";
  }
  try {
    JSON.parse(text);
    return "application/json";
  } catch {
    return "text/plain; charset=utf-8";
  }
}

/** `dnd del`. */
export function deleteCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, settings, json, out }) => {
    const key = args[0] ?? "";
    if (settings["prefix"] === true) {
      const deleted = await client.deletePrefix(key);
      await out.write(json ? `${JSON.stringify({ deleted })}\n` : `deleted ${deleted}\n`);
      return 0;
    }
    const w = settings["w"] as WriteConcern | undefined;
    const { existed, etag } = await client.delete(key, w === undefined ? {} : { w });
    if (json) await out.write(`${JSON.stringify({ key, existed, etag })}\n`);
    else await out.write(existed ? "deleted\n" : "deleted (the node held no such key)\n");
    return existed ? 0 : 1;
  });
}

/** `dnd ls`. */
export function listCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, settings, json, out }) => {
    const values = settings["values"] === true;
    const prefix = args[0] ?? "";
    let cursor: string | undefined;
    do {
      const page = await client.list({
        prefix,
        values,
        limit: 1000,
        ...(cursor === undefined ? {} : { cursor }),
      });
      if (json) for (const item of page.items) await out.write(`${JSON.stringify(item)}\n`);
      else if (host.stdout.isTTY === true) {
        const lines = page.items.map((item) => [
          printable(item.key),
          String(item.size),
          item.contentType,
          new Date(item.modifiedAt).toISOString(),
          ...(values ? [printable(shortValue(item.value))] : []),
        ]);
        const head = ["KEY", "BYTES", "TYPE", "MODIFIED", ...(values ? ["VALUE"] : [])];
        if (lines.length > 0) await out.write(table(head, lines));
      } else {
        for (const item of page.items) {
          const value = values ? `\t${printable(shortValue(item.value))}` : "";
          await out.write(`${printable(item.key)}${value}\n`);
        }
      }
      ({ cursor } = page);
    } while (cursor !== undefined);
    return 0;
  });
}

function shortValue(value: unknown): string {
  if (value instanceof Uint8Array) return `(${value.length} bytes)`;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** `dnd watch`: a line a change, until Ctrl-C. */
export function watchCommand(typed: Typed, host: CliProcess): Promise<number> {
  return withClient(typed, host, async ({ client, args, settings, json, signal, out }) => {
    const after = settings["after"] as string | undefined;
    const watch = client.watch({
      prefix: args[0] ?? "",
      values: settings["values"] === true,
      signal,
      ...(after === undefined ? {} : { after }),
    });
    await watch.opened;
    for await (const change of watch) {
      if (json) await out.write(`${JSON.stringify(change)}\n`);
      else if (change.type === "reset") await out.write(`reset   ${change.reason}\n`);
      else {
        const value =
          change.type === "put" && "value" in change
            ? `  ${printable(shortValue(change.value))}`
            : "";
        await out.write(`${change.type.padEnd(6)}  ${printable(change.key)}${value}\n`);
      }
    }
    return 0;
  });
}
