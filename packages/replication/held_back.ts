/** Why no delete is forgotten at present (rule 10). */
export interface HeldBack {
  /** The member that holds the horizon back. */
  readonly member: string;
  /**
   * `behind`: it has not seen what the others have, or nobody has heard of it for long. `no-contact`: it
   * is ready without the cluster that its seeds belong to, for they have not all answered: what they hold is not
   * known, so nothing is forgotten until they do.
   */
  readonly reason: "behind" | "no-contact";
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
}
