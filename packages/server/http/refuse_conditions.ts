import type { Exchange } from "./exchange.ts";
import { problemError } from "./problem.ts";

/**
 * Conditions that nobody looks at would let a write through that they were to hold back.
 *
 * @throws {DndError} `invalid-argument`
 */
export function refuseConditions({ request: { headers } }: Exchange): void {
  for (const name of ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]) {
    if (headers[name] === undefined) continue;
    throw problemError(
      "invalid-argument",
      `Conditions (${name}) are of one key: write it by PUT, POST or DELETE /kv/{key}`,
    );
  }
}
