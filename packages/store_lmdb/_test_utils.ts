import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Environment, type RowWriter, openEnvironment } from "./_environment.ts";
import { TAG_STATE, plainRow } from "./_rows.ts";
import { decodeState, encodeState } from "./_state_row.ts";

const folders: string[] = [];

/** A new empty folder; deleted when the process ends. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dnd-store-lmdb-"));
  folders.push(folder);
  return folder;
}

process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("resolved, and should have been rejected");
}

export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}

/** Resolves when a condition holds; rejects after five seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Fails if a rig has something to report, and shows the first lines of it. */
export function expectNone(what: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  throw new Error(`${lines.length} ${what}:\n${lines.slice(0, 10).join("\n")}`);
}

/** Changes rows behind the engine's back, in a transaction that it takes for its own. */
export async function tamper(
  folder: string,
  edit: (writer: RowWriter, environment: Environment) => void,
): Promise<void> {
  const environment = await openEnvironment(join(folder, "data.mdb"));
  const row = plainRow(TAG_STATE);
  const state = decodeState(row, copyOf(environment, row));
  if (state === undefined) throw new Error("no state");
  const transaction = environment.transaction + 1;
  await environment.commit((writer) => {
    writer.put(row, encodeState(row, { ...state, transaction }));
    edit(writer, environment);
  });
  await environment.close();
}

/** A copy of the value of a row. */
export function copyOf(environment: Environment, row: Uint8Array): Buffer {
  const value = environment.read(row);
  if (value === undefined) throw new Error("no such row");
  return Buffer.from(value.subarray(0, environment.lastLength));
}
