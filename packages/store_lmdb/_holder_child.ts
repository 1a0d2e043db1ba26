// Opens a data folder, says so, and holds it until it is killed: for the tests of the lock.
import { openDataFolder } from "./data_folder.ts";

try {
  const folder = await openDataFolder(process.argv[2] ?? "");
  process.stdout.write(`open ${folder.id} ${folder.generation} ${process.pid}\n`);
  setInterval(() => undefined, 60_000);
} catch (error) {
  process.stdout.write(`refused ${(error as { code?: string }).code ?? ""}\n`);
}
