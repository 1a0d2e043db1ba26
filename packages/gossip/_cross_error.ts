import type { CrossedError } from "./_engine_protocol.ts";
import { BindError } from "./bind_error.ts";
import { MembershipError, type MembershipErrorCode } from "./membership_error.ts";

/** An error as plain fields: classes do not survive the way between threads. */
export function crossError(error: Error & { code?: unknown }): CrossedError {
  const { name, message, code } = error;
  const crossed: CrossedError = { name, message };
  if (typeof code === "string") crossed.code = code;
  if (error instanceof BindError) {
    const { protocol, address, systemCode } = error;
    crossed.bind = { protocol, address, systemCode };
  }
  return crossed;
}

/** Gives an error that crossed threads its class back, where a caller is expected to catch it. */
export function reviveError({ name, message, code, bind }: CrossedError): Error {
  if (bind !== undefined) {
    const cause = { message, ...(bind.systemCode === undefined ? {} : { code: bind.systemCode }) };
    return new BindError(bind.protocol, bind.address, cause);
  }
  if (name === "MembershipError") {
    return new MembershipError(code as MembershipErrorCode, message);
  }
  if (name === "TypeError") return new TypeError(message);
  if (name === "RangeError") return new RangeError(message);
  return Object.assign(new Error(message), { name }, code === undefined ? {} : { code });
}
