/**
 * Why something that arrived was not taken.
 *
 * | code | meaning |
 * |---|---|
 * | `malformed` | not a message of this protocol: cut short, a bad tag or wire type, a field twice, a length outside its limits, an id or hash missing; in a packet: anything wrong inside that none of the codes below names |
 * | `too-large` | more bytes than the limit, seen before anything was decoded |
 * | `too-many` | more items, or items that would take more memory, than the limit |
 * | `invalid-utf8` | a string that is not strict UTF-8 |
 * | `unsafe-integer` | a uint64 of 2^53 or more |
 * | `wrong-version` | a packet header of a version that this one does not speak |
 * | `wrong-cluster` | a packet of another cluster |
 * | `wrong-key` | sealed under a key that is not in the keyring, or there is no keyring |
 * | `unsealed` | not sealed, where sealing is required |
 * | `bad-tag` | the tag (sealed) or checksum (plain) does not fit: forged, damaged, or meant for another node |
 * | `replay` | authentic, but seen before or too old to tell |
 */
export type DecodeErrorCode =
  | "malformed"
  | "too-large"
  | "too-many"
  | "invalid-utf8"
  | "unsafe-integer"
  | "wrong-version"
  | "wrong-cluster"
  | "wrong-key"
  | "unsealed"
  | "bad-tag"
  | "replay";

/**
 * Thrown by everything here that reads what came from the network, and the only thing thrown by it. No
 * state has changed when it is thrown.
 *
 * It has no stack: taking one costs ten times as much as finding the fault, and strangers decide how
 * many of these are made.
 */
export class DecodeError extends Error {
  override readonly name: string = "DecodeError";

  /** What is wrong, for programs: counters and tests go by it. */
  readonly code: DecodeErrorCode;

  constructor(code: DecodeErrorCode, message: string, options?: ErrorOptions) {
    const limit: unknown = Reflect.get(Error, "stackTraceLimit"); // V8's; elsewhere not there
    if (limit !== undefined) Reflect.set(Error, "stackTraceLimit", 0);
    super(message, options);
    if (limit !== undefined) Reflect.set(Error, "stackTraceLimit", limit);
    this.code = code;
  }
}
