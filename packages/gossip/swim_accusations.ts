/** Evidence of an accusation in words. */
export type Evidence = "no-ack" | "no-indirect-ack" | "nacks" | "refused" | "stream-failed";

/** Who accused whom, with which evidence, who confirmed, and how it ended. */
export interface Accusation {
  readonly member: string;
  readonly name: string;
  readonly generation: number;
  readonly incarnation: number;

  /** Wall time in ms since 1970 at which this node heard of it. */
  readonly at: number;
  readonly accuser: string;
  readonly evidence: readonly Evidence[];

  /** Further accusers, in the order in which this node heard of them. At most 16. */
  readonly confirmedBy: readonly string[];
  readonly outcome: "open" | "refuted" | "dead" | "ended";

  /** Wall time of the outcome. */
  readonly endedAt?: number;

  /** Who declared it dead, or the member itself when it refuted. */
  readonly endedBy?: string;
}
