import type { LinkParts } from "../start_node.ts";
import { AloneLink } from "./_alone_link.ts";
import type { ClusterLink } from "./cluster_link.ts";
export async function createPeerLink(parts: LinkParts): Promise<ClusterLink> {
  return new AloneLink(parts.map);
}
