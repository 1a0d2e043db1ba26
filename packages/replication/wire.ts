import type { FrameBody, Init, Member, Summary, Update } from "@dnd/protocol";

/** A frame as it goes out: what has its default may be left out. */
export type ReplicationFrame = Init<FrameBody>;

/** A frame as it came, decoded. */
export type PeerFrame = FrameBody;

/** A rumor as it goes out. */
export type OutgoingUpdate = Init<Update>;

/** A rumor as it came. */
export type IncomingUpdate = Pick<Update, "entries">;

/** What pings and acks carry (rule 11), as it goes out. */
export type OutgoingSummary = Omit<Summary, "extra">;

/** A member record as it goes out. */
export type OutgoingMember = Init<Member>;
