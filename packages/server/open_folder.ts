import type { NodeData } from "./open_data.ts";
export async function openFolder(_folder: string, _cluster: string): Promise<NodeData> {
  throw new TypeError("Cannot open");
}
