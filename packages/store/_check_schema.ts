import { checkObject, convert, invalid } from "./_check.ts";
import { SchemaError, type StandardResult, type StandardSchema } from "./standard_schema.ts";

/**
 * Checks a value.
 *
 * @returns the value as the schema gives it back
 * @throws {SchemaError} if it is refused
 * @throws {InputTypeError} if the schema answers later (a put is synchronous), throws, or gives no answer
 */
export function checkSchema<T>(schema: StandardSchema<unknown, T>, value: unknown): T {
  const result: unknown = convert("value", value, "what the schema reads", () =>
    schema["~standard"].validate(value),
  );
  checkObject("result", result);
  if ("then" in result) throw invalid("schema", schema["~standard"].vendor, "a synchronous one");
  const { issues, value: checked } = result as StandardResult<T> & { readonly value: T };
  if (issues !== undefined) throw new SchemaError(issues);
  return checked;
}
