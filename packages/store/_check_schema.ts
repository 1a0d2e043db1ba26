import { invalid } from "./_check.ts";
import { SchemaError, type StandardSchema } from "./standard_schema.ts";

/**
 * Checks a value.
 *
 * @returns the value as the schema gives it back
 * @throws {SchemaError} if it is refused
 * @throws {InputTypeError} if the schema answers later: a put is synchronous
 */
export function checkSchema<T>(schema: StandardSchema<unknown, T>, value: unknown): T {
  const result = schema["~standard"].validate(value);
  if ("then" in result) {
    throw invalid("schema", schema["~standard"].vendor, "a synchronous one");
  }
  if (result.issues !== undefined) throw new SchemaError(result.issues);
  return result.value;
}
