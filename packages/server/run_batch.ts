import { DndError, versionToEtag, type Version } from "@dnd/client";
import type { Entry } from "@dnd/store";
import { checkKey } from "@dnd/client";
import { beginDelete } from "./delete_value.ts";
import { getValue } from "./get_value.ts";
import type { NodeCore } from "./node_core.ts";
import { invalidArgument, toNodeError } from "./node_error.ts";
import { beginPut } from "./put_value.ts";
import { beginTouch } from "./touch_value.ts";

/** Most operations of a batch. */
export const maxBatchOperations = 1000;

/** One operation; the value of a put is encoded already. */
export type BatchStep =
  | {
      readonly op: "put";
      readonly key: string;
      readonly bytes: Uint8Array;
      readonly contentType: string;
      readonly ttlMs?: number | undefined;
    }
  | { readonly op: "get" | "delete"; readonly key: string }
  | { readonly op: "touch"; readonly key: string; readonly ttlMs?: number | undefined }
  | { readonly op: "bad"; readonly key: string; readonly error: unknown };

/** What became of one operation. */
export interface BatchStepResult {
  readonly key: string;
  readonly status: number;
  readonly version?: Version;
  readonly etag?: string;
  /** What a get found. */
  readonly entry?: Entry;
  readonly expiresAt?: number;
  readonly existed?: boolean;
  readonly error?: DndError;
}

/**
 * Runs operations in order. Not atomic: each has a result of its own. The writes among them are waited
 * for together, so that one flush serves them all.
 */
export async function runBatch(
  node: NodeCore,
  steps: readonly BatchStep[],
): Promise<readonly BatchStepResult[]> {
  if (steps.length > maxBatchOperations) {
    throw invalidArgument(
      `Cannot run a batch of ${steps.length} operations: at most ${maxBatchOperations}`,
    );
  }
  const written: Entry[] = [];
  const results = steps.map((step): BatchStepResult => {
    try {
      return runStep(node, step, written);
    } catch (error) {
      return failedStep(step.key, error);
    }
  });
  if (written.length === 0) return results;
  try {
    await node.written(written);
  } catch (error) {
    // Reads stand; what became of the writes is what the storage says.
    const failure = toNodeError(error);
    return results.map((result) =>
      result.version !== undefined && result.entry === undefined
        ? failedStep(result.key, failure)
        : result,
    );
  }
  return results;
}

function runStep(node: NodeCore, step: BatchStep, written: Entry[]): BatchStepResult {
  if (step.op === "bad") throw step.error;
  checkKey(step.key);
  const { key } = step;
  switch (step.op) {
    case "get": {
      const entry = getValue(node, key);
      if (entry === undefined) return { key, status: 404 };
      return { key, status: 200, ...versioned(entry), entry };
    }
    case "put": {
      const { entry } = beginPut(node, key, step.bytes, step);
      written.push(entry);
      return { key, status: 200, ...versioned(entry) };
    }
    case "touch": {
      const touched = beginTouch(node, key, step.ttlMs);
      if (touched === undefined) return { key, status: 404 };
      written.push(touched.entry);
      return { key, status: 200, ...versioned(touched.entry) };
    }
    case "delete": {
      const { entry, existed } = beginDelete(node, key, {});
      written.push(entry);
      return { key, status: 204, ...versioned(entry), existed };
    }
  }
}

function versioned(entry: Entry) {
  return {
    version: entry.version,
    etag: versionToEtag(entry.version),
    ...(entry.expiresAt === undefined ? {} : { expiresAt: entry.expiresAt }),
  };
}

function failedStep(key: string, error: unknown): BatchStepResult {
  const known = toNodeError(error);
  const failure =
    known instanceof DndError
      ? known
      : new DndError("internal", "Something went wrong inside", {
          status: 500,
          outcome: "unknown",
          cause: error,
        });
  return { key, status: failure.status, error: failure };
}
