import type { HeldBack } from "./held_back.ts";

/** What a host may want to know, log or count. */
export type ReplicationEvent =
  | {
      /** Rule 12: this node holds what the others hold. */
      readonly type: "ready";
      /** Whether it is so because nobody else was there. */
      readonly alone: boolean;
    }
  | {
      /** Not ready any more: forgotten by the others (rule 3), or the clock is wrong (rule 8). */
      readonly type: "not-ready";
      readonly reason: "forgotten" | "skewed";
    }
  | {
      /** Rule 2: everything is with a ready member; say farewell with this stamp. */
      readonly type: "left";
      readonly departed: number;
    }
  | {
      /** Rule 2: nobody could take over what this node holds; it has not left. */
      readonly type: "leave-failed";
      readonly detail: string;
    }
  | {
      /** How far the first copy is: at each whole percent and at the end. */
      readonly type: "progress";
      readonly peer: string;
      readonly keys: number;
      readonly bytes: number;
      /** 0 to 100, against what the peer said it holds. */
      readonly percent: number;
    }
  | {
      readonly type: "exchanged";
      readonly peer: string;
      readonly role: "opened" | "served";
      readonly reason: string;
      /** Whether it brought everything: promises moved (rule 1). */
      readonly complete: boolean;
      /** Why not, if not: `time`, `bytes`, `refused`, `stalled`, `closed`, ... */
      readonly code: string;
      readonly sent: number;
      readonly received: number;
      readonly bytesSent: number;
      readonly bytesReceived: number;
      readonly elapsedMs: number;
    }
  | {
      /** Rule 18: a followed write has reached its aim, or will not in time. */
      readonly type: "receipt";
      readonly receipt: number;
      /** Members that hold this version or a newer one durably, this node included. */
      readonly acked: number;
      readonly needed: number;
      /** Whether some member holds a newer version. */
      readonly superseded: boolean;
      /** Whether `acked` reached `needed`. */
      readonly ok: boolean;
    }
  | {
      /** The answer to `explain()`: what each member holds. */
      readonly type: "explained";
      readonly request: number;
      readonly key: string;
      readonly answers: readonly ExplainAnswer[];
    }
  | {
      /** Rule 8: this node's clock or its entries are ahead of trusted time. */
      readonly type: "skewed";
      readonly skewed: boolean;
      /** Wall clock minus trusted time, in milliseconds. */
      readonly offsetMs: number;
    }
  | {
      /** Rule 8: entries far ahead got new stamps. */
      readonly type: "restamped";
      readonly entries: number;
    }
  | {
      /** Two nodes disagree about the time and there is no third to ask. */
      readonly type: "clock-disagreement";
      readonly peer: string;
      readonly offsetMs: number;
    }
  | {
      /** Rule 10: this member has held the horizon back for long. */
      readonly type: "held-back";
      readonly member: string;
      readonly reason: HeldBack["reason"];
      readonly sinceMs: number;
    }
  | {
      /** A peer did what no peer should; it was cut off. */
      readonly type: "misbehaved";
      readonly peer: string;
      readonly detail: string;
    }
  | {
      /** Two clusters that never met found each other; both keep everything (rule 1). */
      readonly type: "merged-clusters";
      readonly peer: string;
    };

/** What one member holds of a key. */
export interface ExplainAnswer {
  readonly node: string;
  /** Absent: holds nothing. */
  readonly version?: { readonly time: number; readonly node: string };
  readonly deleted?: boolean;
  readonly expiresAt?: number;
  readonly contentType?: string;
  readonly contentHash?: Uint8Array;
  /** Bytes of the value. */
  readonly size?: number;
  /** When it was applied there, in milliseconds since 1970. */
  readonly appliedAt?: number;
  /** Why there is no answer: `unreachable`, `timeout`. */
  readonly error?: string;
}
