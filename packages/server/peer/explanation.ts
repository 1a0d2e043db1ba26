import {
  versionToEtag,
  type ClusterMember,
  type Explanation,
  type MemberExplanation,
} from "@dnd/client";
import type { ExplainAnswer } from "@dnd/replication";
import { timeText } from "../entry_text.ts";

/** What explaining needs to know of the members. */
export interface ExplanationContext {
  readonly members: readonly ClusterMember[];
  /** Whether a member counts for `w` (rule 18). */
  readonly counts: (id: string) => boolean;
}

type Held = ExplainAnswer & { readonly version: NonNullable<ExplainAnswer["version"]> };

/** Makes an explanation for people of what the members said. */
export function explain(
  key: string,
  answers: readonly ExplainAnswer[],
  { members, counts }: ExplanationContext,
): Explanation {
  const held = answers.filter((answer): answer is Held => answer.version !== undefined);
  const [winner, ...others] = [...held].sort(byVersion);
  const etag = winner === undefined ? undefined : versionToEtag(winner.version);
  return {
    key,
    ...(etag === undefined ? {} : { etag }),
    reason: reasonOf(winner, others, answers),
    members: answers.map((answer): MemberExplanation => {
      const member = members.find(({ id }) => id === answer.node);
      const own = answer.version === undefined ? undefined : versionToEtag(answer.version);
      return {
        node: answer.node,
        name: member?.name ?? "",
        state: member?.state ?? "alive",
        counts: counts(answer.node),
        answer: answer.error !== undefined ? "unreachable" : own === undefined ? "absent" : "holds",
        ...(own === undefined ? {} : { etag: own, winner: own === etag }),
        ...(answer.deleted === true ? { deleted: true } : {}),
        ...(answer.expiresAt === undefined ? {} : { expires: timeText(answer.expiresAt) }),
        ...(answer.size === undefined || own === undefined ? {} : { size: answer.size }),
      };
    }),
  };
}

/** The later one first. */
function byVersion(a: Held, b: Held): number {
  if (a.version.time !== b.version.time) return b.version.time - a.version.time;
  return a.version.node < b.version.node ? 1 : a.version.node > b.version.node ? -1 : 0;
}

function reasonOf(
  winner: Held | undefined,
  others: readonly Held[],
  answers: readonly ExplainAnswer[],
): string {
  const silent = answers.filter(({ error }) => error !== undefined).length;
  const asked = silent === 0 ? "" : ` (${silent} of ${answers.length} members did not answer)`;
  if (winner === undefined) return `no member holds the key${asked}`;
  const what = winner.deleted === true ? "the delete" : "the write";
  const loser = others.find(
    ({ version }) => version.time !== winner.version.time || version.node !== winner.version.node,
  );
  if (loser === undefined) {
    const holders = others.length + 1;
    return `${what} ${versionToEtag(winner.version)} is the only version: ${holders} of ${answers.length} members hold it${asked}`;
  }
  if (loser.version.time === winner.version.time) {
    return `${what} ${versionToEtag(winner.version)} has the same time as another, and its node id is the greater one${asked}`;
  }
  const aheadMs = (winner.version.time - loser.version.time) / 4096;
  return `${what} ${versionToEtag(winner.version)} is later than the next one by ${aheadMs.toFixed(3)} ms${asked}`;
}
