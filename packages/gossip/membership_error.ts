/** Why an act on the membership was refused. */
export type MembershipErrorCode = "unknown-member" | "not-dead" | "self";

/**
 * An operator's act on a member was refused; nothing changed.
 *
 * - `unknown-member`: there is no member with this id;
 * - `not-dead`: only a member that is dead or stopped can be forgotten (RULES 3);
 * - `self`: a node cannot forget itself.
 */
export class MembershipError extends Error {
  override readonly name = "MembershipError";

  /** Stable, for programs. */
  readonly code: MembershipErrorCode;

  constructor(code: MembershipErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
