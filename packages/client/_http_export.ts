import { LineSplitter } from "./_line_splitter.ts";
import type { OpenStream } from "./_transport.ts";
import { DndError } from "./dnd_error.ts";
import type { ExportLine } from "./operations.ts";

/** Longest line: a value of 16 MiB, of characters that JSON writes with six, and everything around it. */
const MAX_LINE_CHARS = (6 * 16 + 1) * 1024 * 1024;

/**
 * Hands out the lines of an export as they arrive.
 *
 * @param stream the open answer; aborted at the end, and when the reader leaves early
 * @param idleMs longest wait for the next bytes
 * @throws {DndError} `unreachable` when the stream breaks off: what was handed out is not all;
 *   `invalid-response` for lines that no node sends
 */
export async function* exportLines(
  stream: OpenStream,
  idleMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<ExportLine, undefined> {
  const lines = new LineSplitter(MAX_LINE_CHARS);
  const reader = stream.response.body?.getReader();
  try {
    for (;;) {
      const chunk = await readChunk(stream, reader, idleMs, signal);
      for (const line of split(lines, chunk)) yield parseLine(line);
      if (chunk === undefined) return;
    }
  } finally {
    stream.abort();
  }
}

function split(lines: LineSplitter, chunk: Uint8Array | undefined): readonly string[] {
  try {
    return [...(chunk === undefined ? lines.end() : lines.push(chunk))];
  } catch (cause) {
    throw new DndError("invalid-response", `Cannot export: ${String(cause)}`, { cause });
  }
}

async function readChunk(
  stream: OpenStream,
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  idleMs: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  const idle = idleMs === Infinity ? undefined : setTimeout(() => stream.abort(), idleMs);
  try {
    return (await reader?.read())?.value;
  } catch (cause) {
    signal?.throwIfAborted();
    const { base } = stream.endpoint;
    throw new DndError("unreachable", `Cannot export: ${base} broke off before the end`, { cause });
  } finally {
    clearTimeout(idle);
  }
}

function parseLine(line: string): ExportLine {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && "key" in value) return value as ExportLine;
  } catch {
    // Reported below.
  }
  throw new DndError("invalid-response", `Cannot export: a line is no entry: ${line.slice(0, 80)}`);
}
