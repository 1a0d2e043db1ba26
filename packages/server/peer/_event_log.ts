import type { ReplicationEvent } from "@dnd/replication";
import type { NodeLogger } from "../node_logger.ts";

/** A line of the log for what replication tells; there is none for what somebody waits for. */
export function logEvent(logger: NodeLogger, event: ReplicationEvent): void {
  switch (event.type) {
    case "ready":
      logger.info({ alone: event.alone }, event.alone ? "ready, alone" : "ready");
      return;
    case "not-ready":
      logger.warn({ reason: event.reason }, `not ready: ${event.reason}`);
      return;
    case "progress": {
      const { peer, keys, bytes, percent } = event;
      logger.info({ peer, keys, bytes, percent }, `first copy: ${percent} percent`);
      return;
    }
    case "exchanged":
      logger.debug(event, event.complete ? "exchanged" : `exchange broke off: ${event.code}`);
      return;
    case "skewed":
      logger[event.skewed ? "error" : "info"](
        { offsetMs: event.offsetMs },
        event.skewed
          ? `this node's clock is ${Math.round(event.offsetMs)} ms ahead: its writes are refused by others`
          : "this node's clock is right again",
      );
      return;
    case "restamped":
      logger.warn({ entries: event.entries }, "entries ahead of time got new stamps");
      return;
    case "clock-disagreement":
      logger.warn({ peer: event.peer, offsetMs: event.offsetMs }, "two clocks disagree");
      return;
    case "held-back":
      logger.warn(
        { member: event.member, reason: event.reason, sinceMs: event.sinceMs },
        event.reason === "behind"
          ? `member ${event.member} keeps deletes from being forgotten; forget it if it will not be back`
          : "no seed and no remembered member has answered: no delete is forgotten until one does",
      );
      return;
    case "misbehaved":
      logger.warn({ peer: event.peer, detail: event.detail }, "a peer misbehaved and was cut off");
      return;
    case "merged-clusters":
      logger.warn({ peer: event.peer }, "two clusters that never met have merged");
      return;
    case "receipt":
    case "explained":
    case "left":
    case "leave-failed":
      return;
  }
}
