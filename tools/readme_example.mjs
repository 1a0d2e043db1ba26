// The first TypeScript example of a package's README, for the tools and tests that run it.
//
//     node tools/readme_example.mjs packages/store        compiles it against the built workspace, runs it
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

/**
 * The text of the first ```ts block.
 *
 * @param {string} markdown
 * @returns {string | undefined}
 */
export function firstExample(markdown) {
  return /^```ts[^\n]*\n([\s\S]*?)^```\s*$/m.exec(markdown)?.[1];
}

/**
 * The compiler options under which an example must hold: strict, as a user's project would be. The
 * types of Node come from the workspace by path; everything else from where the example lies.
 *
 * @param {readonly string[]} files
 */
export function exampleTsconfig(files) {
  return {
    compilerOptions: {
      target: "es2023",
      lib: ["es2023", "esnext.disposable"],
      module: "nodenext",
      moduleResolution: "nodenext",
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      types: ["node"],
      typeRoots: [join(root, "node_modules/@types")],
      rootDir: ".",
      outDir: "out",
    },
    files,
  };
}

/**
 * Runs the compiler of the workspace in a folder that has a tsconfig.json.
 *
 * @param {string} folder
 * @returns {string} what it complains about; empty if nothing
 */
export function compile(folder) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", "."], {
    cwd: folder,
    encoding: "utf8",
    timeout: 120_000,
  });
  return status === 0 ? "" : `${stdout}${stderr}`.trim() || `tsc ended with ${status}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new TypeError("Cannot run an example: name a package folder");
  const example = firstExample(readFileSync(join(folder, "README.md"), "utf8"));
  if (example === undefined) throw new Error(`${folder}/README.md has no \`\`\`ts example`);
  // Inside the package, so that imports by its own name and of its dependencies resolve.
  const temp = mkdtempSync(join(resolve(folder), "dist", "readme-"));
  try {
    writeFileSync(join(temp, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(join(temp, "example.ts"), example);
    const tsconfig = exampleTsconfig(["example.ts"]);
    tsconfig.compilerOptions.skipLibCheck = true;
    writeFileSync(join(temp, "tsconfig.json"), JSON.stringify(tsconfig));
    const complaint = compile(temp);
    if (complaint !== "") {
      console.error(complaint);
      process.exitCode = 1;
    } else {
      const { status } = spawnSync(process.execPath, [join(temp, "out/example.js")], {
        cwd: temp,
        stdio: ["ignore", "inherit", "inherit"],
        timeout: 60_000,
      });
      process.exitCode = status ?? 1;
    }
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}
