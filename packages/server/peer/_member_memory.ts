import type { GossipNode } from "@dnd/gossip";
import type { LinkParts } from "./cluster_link.ts";
import { saveMembers } from "./remembered_members.ts";

/** Members are kept so long after a change: a burst of them is one write. */
const delayMs = 200;

/** Keeps the members in the data folder, so that they are called at the next start. */
export class MemberMemory {
  readonly #parts: Pick<LinkParts, "data" | "map" | "logger">;
  readonly #gossip: Pick<GossipNode, "remembered">;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** @param parts a node in memory keeps nothing */
  constructor(
    parts: Pick<LinkParts, "data" | "map" | "logger">,
    gossip: Pick<GossipNode, "remembered">,
  ) {
    this.#parts = parts;
    this.#gossip = gossip;
  }

  /** The members have changed. */
  soon(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#save();
    }, delayMs);
  }

  /**
   * Keeps them as they are now; on disk when it resolves. For what an operator did: once it is answered, no
   * crash undoes it.
   *
   * @throws when they could not be stored
   */
  async now(): Promise<void> {
    const { data, map } = this.#parts;
    if (data.volatile) return;
    saveMembers(map, await this.#gossip.remembered());
    await map.committed();
  }

  /** Keeps them as they are now, for the last time. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#save();
  }

  async #save(): Promise<void> {
    const { data, map, logger } = this.#parts;
    if (data.volatile) return;
    try {
      saveMembers(map, await this.#gossip.remembered());
    } catch (error) {
      logger.debug({ err: error }, "the members could not be remembered");
    }
  }
}
