// The entry of the command line. Nothing that uses libuv's pool may be loaded before its size is set:
// with the four threads of the default, hanging name look-ups hold up every commit (rule 16).
import process from "node:process";

if (!(Number(process.env["UV_THREADPOOL_SIZE"]) >= 16)) process.env["UV_THREADPOOL_SIZE"] = "16";

// Who writes hears of a failure by the write itself; a node goes on without anybody who reads its lines.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const { runCli } = await import("./cli.ts");
process.exitCode = await runCli(process.argv.slice(2), process);
