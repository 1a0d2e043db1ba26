/** Why no delete is forgotten at present (rule 10). */
export interface HeldBack {
  /** The member that holds the horizon back. */
  readonly member: string;
  /**
   * `behind`: it has not seen what the others have, or nobody has heard of it for long. `no-contact`: it is this node,
   * alone, and none of its seeds or remembered members has answered: what they hold is not known, so nothing
   * is forgotten until one does.
   */
  readonly reason: "behind" | "no-contact";
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
}
