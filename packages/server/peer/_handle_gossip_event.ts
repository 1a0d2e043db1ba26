import type { GossipEvent, GossipNode } from "@dnd/gossip";
import type { ReplicationEffect, Replicator } from "@dnd/replication";
import type { LinkParts } from "./cluster_link.ts";
import type { MemberMemory } from "./_member_memory.ts";

/** Who is told what the membership layer says. */
export interface GossipEventParts {
  readonly gossip: Pick<GossipNode, "id" | "members">;
  readonly replicator: Pick<Replicator, "handleMember" | "handleMemberRemoved">;
  readonly memory: Pick<MemberMemory, "soon">;
  readonly parts: Pick<LinkParts, "logger" | "onCopy">;
  readonly now: () => number;
}

/** Tells replication, the log and the memory of members what the membership layer says. */
export function handleGossipEvent(
  event: GossipEvent,
  to: GossipEventParts,
): readonly ReplicationEffect[] {
  const { gossip, replicator, memory, parts } = to;
  const { logger } = parts;
  const now = to.now();
  switch (event.type) {
    case "lost": // events were: the members say what they were about
      return gossip.members().flatMap((member) => replicator.handleMember(member, now));
    case "failed":
      logger.error({ err: event.error }, "gossip has failed");
      return [];
    case "copy":
      parts.onCopy();
      return [];
    case "forgotten-self":
    case "exhausted": {
      const { generation } = event;
      return replicator.handleMember({ id: gossip.id, state: "forgotten", generation }, now);
    }
    case "joined":
      logger.info({ member: event.member.name }, "joined the cluster");
      return [];
    case "removed":
      memory.soon();
      return replicator.handleMemberRemoved(event.member.id, now);
    default: {
      const { member, type } = event;
      if (!member.self && type !== "updated") {
        const { id, name, address } = member;
        logger[type === "alive" || type === "resumed" ? "info" : "warn"](
          { member: id, name, address },
          `member ${name === "" ? address : name} is ${type}`,
        );
      }
      memory.soon();
      return replicator.handleMember(member, now);
    }
  }
}
