import { randomBytes } from "node:crypto";
import type { NodeData } from "./node_data.ts";
import type { ResolvedNodeOptions } from "./node_options.ts";

/** Opens the data folder of a node, or makes an identity for one without a disk. */
export async function openData(options: ResolvedNodeOptions): Promise<NodeData> {
  if (options.dataDir !== undefined) {
    const { openFolder } = await import("./open_folder.ts");
    return openFolder(options.dataDir, options.cluster);
  }
  let generation = Date.now();
  return {
    id: randomBytes(16).toString("hex"),
    get generation() {
      return generation;
    },
    engine: undefined,
    volatile: true,
    copy: undefined,
    raiseGeneration: (above) => (generation = Math.max(generation, above) + 1),
    renew: () => undefined,
    setAside: () => undefined,
    close: async () => undefined,
  };
}
