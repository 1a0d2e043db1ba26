import { invalidResponse } from "./_read_body.ts";
import { readTime, readVersion } from "./_wire_value.ts";
import { versionToMs } from "./etag.ts";
import type { CallOptions, DeleteOptions, KeyValueEntry } from "./key_value_types.ts";
import { decodeValue } from "./value_codec.ts";

/** Whether a write is answered only when other members have it. */
export function waitsForOthers({ w }: DeleteOptions): boolean {
  return w !== undefined && w !== 1 && w !== "one";
}

/** The part of the options that a call over HTTP takes. */
export function callOf(options: CallOptions): Pick<CallOptions, "signal" | "timeoutMs"> {
  const { signal, timeoutMs } = options;
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

/** The headers of a conditional write. */
export function conditions(options: DeleteOptions): Record<string, string> {
  const { ifMatch, ifNoneMatch } = options;
  return {
    ...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch }),
  };
}

/** Reads the entry that a GET was answered with. */
export function readEntry<T>(
  key: string,
  response: Response,
  bytes: Uint8Array<ArrayBuffer>,
): KeyValueEntry<T> {
  const { headers } = response;
  const etag = headers.get("etag");
  if (etag === null) throw invalidResponse(response, "it has no ETag; is it a dnd node?");
  const version = readVersion(etag);
  const contentType = headers.get("content-type") ?? "application/octet-stream";
  const expires = headers.get("dnd-expires");
  return {
    key,
    ...version,
    contentType,
    size: bytes.length,
    modifiedAt: versionToMs(version.version),
    ...(expires === null ? {} : { expiresAt: readTime(expires) }),
    value: decodeValue(bytes, contentType) as T,
  };
}
