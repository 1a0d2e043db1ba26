/**
 * The command line was wrong, or something that it names cannot be used: one line for people, exit
 * code 2, nothing touched.
 */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}
