// Opens stores whose files were cut, one after the other, and says what each gave: in a process of its own, because
// a page that is not there ends the process.
import { openMap } from "./open_map.ts";

for (const folder of process.argv.slice(2)) {
  try {
    const map = await openMap({ folder });
    let read = 0;
    for (let after = ""; ;) {
      const page = map.entries({ limit: 100, after });
      read += page.length;
      after = page.at(-1)?.key ?? "";
      if (page.length < 100) break;
    }
    map.put("written after that", new Uint8Array(1));
    await map.close();
    process.stdout.write(`${read}\n`);
  } catch (error) {
    process.stdout.write(`${(error as { code?: string }).code ?? String(error)}\n`);
  }
}
