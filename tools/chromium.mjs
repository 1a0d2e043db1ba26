// Opens a page in headless chromium, with a profile of its own, until this process is ended: for tests
// whose page reports to a server of theirs.
//
//     node tools/chromium.mjs http://127.0.0.1:1234/
//
// Where there is no chromium it says `skipped: ...` and ends with exit code 69.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const [url] = process.argv.slice(2);
if (url === undefined) throw new TypeError("Cannot open a page: give its address");
if (spawnSync("chromium", ["--version"]).status !== 0) {
  console.log("skipped: there is no chromium in the path (Debian package chromium)");
  process.exit(69);
}
const profile = mkdtempSync(join(tmpdir(), "dnd-chromium-"));
const flags = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`];
const browser = spawn("chromium", [...flags, url], { stdio: "ignore" });
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => browser.kill("SIGKILL"));
browser.on("close", (code) => {
  // Helpers of the browser may outlive it for a moment, and write.
  rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.exit(code ?? 0);
});
