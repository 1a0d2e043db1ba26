import { checkContentType, formatTtl } from "./_checks.ts";
import { checkKey } from "./check_key.ts";
import { checkOperation } from "./check_options.ts";
import { resultError } from "./_problem.ts";
import { fromWireValue, readTime, readVersion, toWireValue } from "./_wire_value.ts";
import type { DndError } from "./dnd_error.ts";
import type { BatchOperation, BatchResult } from "./key_value_types.ts";

/** An operation as the HTTP interface takes it. */
export type WireOperation = Readonly<Record<string, unknown>>;

/**
 * Writes an operation for the wire.
 *
 * @throws {DndError} for a key, value, type or time to live that cannot be sent
 */
export function toWireOperation(operation: BatchOperation): WireOperation {
  checkOperation(operation);
  const { op, key } = operation;
  checkKey(key);
  switch (op) {
    case "get":
    case "delete":
      return { op, key };
    case "touch":
      return { op, key, ...ttlOf(operation.ttlMs) };
    case "put":
      if (operation.contentType !== undefined) checkContentType(operation.contentType);
      return {
        op,
        key,
        ...toWireValue(operation.value, operation.contentType),
        ...ttlOf(operation.ttlMs),
      };
  }
}

function ttlOf(ttlMs: number | undefined): { readonly ttl?: string } {
  return ttlMs === undefined ? {} : { ttl: formatTtl(ttlMs) };
}

/** Reads one result. */
export function readResult<T>(
  operation: BatchOperation,
  result: Readonly<Record<string, unknown>>,
): BatchResult<T> {
  const { op, key } = operation;
  const status = Number(result["status"]);
  const { etag, contentType, expires, existed } = result;
  const common = {
    key,
    status,
    ...(etag === undefined ? {} : readVersion(etag)),
    ...(expires === undefined ? {} : { expiresAt: readTime(expires) }),
    ...(typeof existed === "boolean" ? { existed } : {}),
  };
  if (status >= 400) {
    const nested = result["error"];
    const problem = typeof nested === "object" && nested !== null ? nested : result;
    const error = resultError(`${op} ${JSON.stringify(key)}`, status, problem);
    return error === undefined || error.code === "not-found" ? common : { ...common, error };
  }
  if (op !== "get") return common;
  const type = typeof contentType === "string" ? contentType : "application/json";
  const value = fromWireValue(result["value"], result["encoding"], type) as T;
  const size = Number(result["size"] ?? NaN);
  return { ...common, contentType: type, ...(Number.isNaN(size) ? {} : { size }), value };
}

/** The result of an operation that was not sent. */
export function refusedResult<T>(operation: BatchOperation, error: DndError): BatchResult<T> {
  const { key = "" } = (operation ?? {}) as Partial<BatchOperation>;
  return { key: String(key), status: error.status, error };
}
