import { InputTypeError } from "./errors.ts";

/**
 * The part of Standard Schema, version 1, that a codec uses (standardschema.dev): what zod, valibot,
 * arktype and others offer under `~standard`.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
    ) => StandardResult<Output> | PromiseLike<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a validation gives: the value, or what is wrong with it. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong with a value. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A value that its schema refused. Nothing was stored. */
export class SchemaError extends InputTypeError {
  override readonly name: string = "SchemaError";

  /** What the schema said. */
  declare readonly issues: readonly StandardIssue[];

  constructor(issues: readonly StandardIssue[]) {
    super("invalid-argument", `Invalid value: ${Array.from(issues, describe).join("; ")}`);
    this.issues = issues;
  }
}

function describe({ message, path }: StandardIssue): string {
  const keys = path?.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
  return keys ? `${keys}: ${message}` : message;
}
