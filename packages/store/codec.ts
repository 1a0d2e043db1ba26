import { checkObject, checkTypes, convert, invalid } from "./_check.ts";
import { LONE_SURROGATE } from "./_lone_surrogate.ts";
import type { StandardSchema } from "./standard_schema.ts";
import { checkSchema } from "./_check_schema.ts";

/** Turns values into bytes and back. */
export interface Codec<T> {
  /** The content type that is stored with the bytes. */
  readonly contentType: string;

  /** @throws {InputTypeError} `invalid-argument` if the value cannot be encoded */
  encode(value: T): Uint8Array;

  /** @throws {InputTypeError} `invalid-argument` if the bytes are no such value */
  decode(bytes: Uint8Array): T;
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
    checkTypes({ value });
    if (LONE_SURROGATE.test(value)) throw invalid("value", value, "no lone surrogate");
    return encoder.encode(value);
  },
  decode: (value) => convert("value", value, "UTF-8", () => decoder.decode(value)),
};

/**
 * JSON as UTF-8.
 *
 * @param schema checks (and may change) values on the way in: a synchronous Standard Schema of
 * whatever vendor (zod, valibot, arktype)
 * @throws {InputTypeError} `invalid-argument` if it is none
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
  if (schema !== undefined) checkObject("schema", schema?.["~standard"]);
  return {
    contentType: "application/json",
    encode(value) {
      const checked = schema === undefined ? value : checkSchema(schema, value);
      const form = "JSON";
      const encoded = convert(
        "value",
        checked,
        form,
        () => JSON.stringify(checked) as string | undefined,
      );
      if (encoded === undefined) throw invalid("value", checked, form);
      return encoder.encode(encoded);
    },
    decode: (value) =>
      convert("value", value, "JSON", () => JSON.parse(decoder.decode(value)) as T),
  };
}
