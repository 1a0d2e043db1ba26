import { InputTypeError } from "./errors.ts";
import type { StandardSchema } from "./standard_schema.ts";
import { checkSchema } from "./standard_schema.ts";

/** Turns values into bytes and back. */
export interface Codec<T> {
  /** The content type that is stored with the bytes. */
  readonly contentType: string;

  /** @throws {InputTypeError} `invalid-argument` if the value cannot be encoded; nothing is stored */
  encode(value: T): Uint8Array;

  /** @throws {TypeError | SyntaxError} if the bytes are no such value */
  decode(bytes: Uint8Array): T;
}

function cannotEncode(as: string, why: string): Error {
  return new InputTypeError("invalid-argument", `Cannot encode as ${as}: ${why}`);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as they are. */
export const bytes: Codec<Uint8Array> = {
  contentType: "application/octet-stream",
  encode: (value) => value,
  decode: (value) => value,
};

/** Text as UTF-8. Lone surrogates are refused: they would come back as something else. */
export const text: Codec<string> = {
  contentType: "text/plain;charset=utf-8",
  encode(value) {
    if (typeof value !== "string") throw cannotEncode("text", `a ${typeof value}`);
    if (/[\ud800-\udfff]/u.test(value)) throw cannotEncode("text", "it has a lone surrogate");
    return encoder.encode(value);
  },
  decode: (value) => decoder.decode(value),
};

/**
 * JSON as UTF-8.
 *
 * @param schema checks (and may change) values on the way in: a synchronous Standard Schema of
 * whatever vendor (zod, valibot, arktype)
 *
 * @example
 * ```ts
 * import { json, TypedMap, VersionedMap } from "@dnd/store";
 *
 * interface User { name: string }
 * const users = new TypedMap(new VersionedMap({ node: "a", clock: Date.now }), json<User>());
 * users.put("user1", { name: "Jack" });
 * const name = users.get("user1")?.name; // "Jack"
 * ```
 */
export function json<T = unknown>(schema?: StandardSchema<unknown, T>): Codec<T> {
  return {
    contentType: "application/json",
    encode(value) {
      const checked = schema === undefined ? value : checkSchema(schema, value);
      let encoded: string | undefined;
      let why = `a ${typeof checked} has no JSON form`;
      try {
        encoded = JSON.stringify(checked);
      } catch (error) {
        why = String(error); // it refers to itself, or holds a bigint
      }
      if (encoded === undefined) throw cannotEncode("JSON", why);
      return encoder.encode(encoded);
    },
    decode: (value) => JSON.parse(decoder.decode(value)) as T,
  };
}
