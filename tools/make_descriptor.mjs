// Writes packages/protocol/dnd_descriptor.ts from dnd.proto with protobufjs-cli. To be run after every
// change of dnd.proto; a test of the package fails when it was not.
//
//     npx nx run protocol:descriptor        writes the file
//     node tools/make_descriptor.mjs -      prints it
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { format } from "prettier";

const folder = new URL("../packages/protocol/", import.meta.url);
const pbjs = createRequire(import.meta.url).resolve("protobufjs-cli/bin/pbjs");
const proto = fileURLToPath(new URL("dnd.proto", folder));
const { status, stdout } = spawnSync(process.execPath, [pbjs, "-t", "json", proto], {
  stdio: ["ignore", "pipe", "inherit"],
  encoding: "utf8",
});
if (status !== 0) process.exit(status ?? 1);

// `protoName` is not in the types of protobufjs, and nothing here needs it.
const json = JSON.stringify(
  JSON.parse(stdout, (name, value) => (name === "protoName" ? undefined : value)),
);

const source = await format(
  `// Made from dnd.proto by tools/make_descriptor.mjs. Do not edit.
import type { INamespace } from "protobufjs/light.js";

/** \`dnd.proto\` as protobufjs reads it. */
export const descriptor: INamespace = ${json};
`,
  { parser: "typescript", printWidth: 100, quoteProps: "as-needed" },
);
if (process.argv[2] === "-") process.stdout.write(source);
else writeFileSync(new URL("dnd_descriptor.ts", folder), source);
