import {
  EVIDENCE_NACK,
  EVIDENCE_NO_ACK,
  EVIDENCE_NO_INDIRECT_ACK,
  EVIDENCE_REFUSED,
  EVIDENCE_STREAM_FAILED,
  type Member,
} from "@dnd/protocol";

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

const words: readonly (readonly [number, Evidence])[] = [
  [EVIDENCE_NO_ACK, "no-ack"],
  [EVIDENCE_NO_INDIRECT_ACK, "no-indirect-ack"],
  [EVIDENCE_NACK, "nacks"],
  [EVIDENCE_REFUSED, "refused"],
  [EVIDENCE_STREAM_FAILED, "stream-failed"],
];

/** The bits of `Member.evidence` in words; unknown bits are left out. */
export function evidenceWords(bits: number): Evidence[] {
  return words.filter(([bit]) => (bits & bit) !== 0).map(([, word]) => word);
}

const maxAccusations = 256;
const maxConfirmations = 16;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type OpenAccusation = Mutable<Omit<Accusation, "confirmedBy">> & { confirmedBy: string[] };

/**
 * The record of accusations: what an operator reads to learn why a member was declared dead. The newest
 * 256 are kept.
 */
export class AccusationLog {
  #list: OpenAccusation[] = [];
  #open: Map<string, OpenAccusation> = new Map();

  /** A member became suspect, or dead without having been suspect here. */
  open(member: Member, at: number): void {
    this.close(member.id, { at, outcome: "ended", by: "" });
    const accusation: OpenAccusation = {
      member: member.id,
      name: member.name,
      generation: member.generation,
      incarnation: member.incarnation,
      at,
      accuser: member.accuser,
      evidence: evidenceWords(member.evidence),
      confirmedBy: [],
      outcome: "open",
    };
    this.#open.set(member.id, accusation);
    this.#list.push(accusation);
    if (this.#list.length > maxAccusations) {
      const oldest = this.#list.shift();
      if (oldest !== undefined && this.#open.get(oldest.member) === oldest) {
        this.#open.delete(oldest.member);
      }
    }
  }

  /** A further accuser. */
  confirm(id: string, accuser: string): void {
    const accusation = this.#open.get(id);
    if (accusation === undefined || accusation.confirmedBy.length >= maxConfirmations) return;
    if (accusation.accuser !== accuser && !accusation.confirmedBy.includes(accuser)) {
      accusation.confirmedBy.push(accuser);
    }
  }

  /** It ended. Without an open accusation nothing happens. */
  close(
    id: string,
    end: {
      readonly at: number;
      readonly outcome: "refuted" | "dead" | "ended";
      readonly by: string;
      readonly evidence?: number;
    },
  ): void {
    const accusation = this.#open.get(id);
    if (accusation === undefined) return;
    this.#open.delete(id);
    accusation.outcome = end.outcome;
    accusation.endedAt = end.at;
    accusation.endedBy = end.by;
    if (end.evidence !== undefined) {
      const all = new Set([...accusation.evidence, ...evidenceWords(end.evidence)]);
      accusation.evidence = [...all];
    }
  }

  /** A copy, oldest first. */
  list(): Accusation[] {
    return this.#list.map((a) => ({ ...a, confirmedBy: [...a.confirmedBy] }));
  }
}
