import { readArray } from "./_wire_value.ts";
import type { ExportLine, ImportFailure, ImportResult } from "./operations.ts";

/** About how much is sent in one request: not every fetch can send a body as a stream. */
const CHUNK_CHARS = 1024 * 1024;

/** Failures that are listed; the rest is counted. */
const MAX_FAILURES = 1000;

/**
 * Sends lines in requests of about a mebibyte each, one after the other, and adds up the answers.
 *
 * @param lines the lines; one that is a string is sent as it is, and may be anything but two lines
 * @param send sends one body and gives the node's answer
 */
export async function importLines(
  lines: Iterable<ExportLine | string> | AsyncIterable<ExportLine | string>,
  send: (body: string, imported: number) => Promise<Readonly<Record<string, unknown>>>,
): Promise<ImportResult> {
  let imported = 0;
  let failedCount = 0;
  const failed: ImportFailure[] = [];
  let chunk: string[] = [];
  let chars = 0;
  let sent = 0;
  const flush = async (): Promise<void> => {
    const answer = await send(chunk.join(""), imported);
    imported += Number(answer["imported"]);
    const failures = readArray(answer["failed"], "failed");
    failedCount += Math.max(failures.length, Number(answer["failedCount"] ?? 0));
    for (const { line, code, detail } of failures.slice(0, MAX_FAILURES - failed.length)) {
      failed.push({ line: sent + Number(line), code: String(code), detail: String(detail) });
    }
    sent += chunk.length;
    chunk = [];
    chars = 0;
  };
  for await (const line of lines) {
    const text = (typeof line === "string" ? checkLine(line) : JSON.stringify(line)) + "\n";
    chunk.push(text);
    chars += text.length;
    if (chars >= CHUNK_CHARS) await flush();
  }
  if (chunk.length > 0) await flush();
  return { imported, failed, failedCount };
}

/** One with a line feed in it would shift the numbers of all that follow. */
function checkLine(line: string): string {
  if (!line.includes("\n")) return line;
  throw new TypeError(
    `Cannot import: a line has a line feed in it: ${JSON.stringify(line.slice(0, 60))}`,
  );
}
