// A process whose disk dies under it: prints the codes of the errors that its writes and reads get then,
// a line each. A process of its own, because lmdb writes to standard error itself when a commit fails.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { openMap } from "./open_map.ts";

const [disk = ""] = process.argv.slice(2);
const bytes = Buffer.from("value");
const map = await openMap({ folder: join(disk, "data") });
map.put("a", bytes);
await map.committed();
spawnSync("xfs_io", ["-x", "-c", "shutdown", disk]);

async function report(act: () => unknown): Promise<void> {
  try {
    await act();
    process.stdout.write("none\n");
  } catch (error) {
    process.stdout.write(`${String((error as { code?: unknown }).code)}\n`);
  }
}

await report(() => {
  map.put("b", bytes);
  return map.committed();
});
await report(() => map.put("c", bytes));
await report(() => map.get("a"));
await map.close();
