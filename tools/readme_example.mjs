// The first TypeScript example of a package's README, for the tools and tests that run it.
//
//     node tools/readme_example.mjs packages/store        compiles it against the built workspace, runs it
//     node tools/readme_example.mjs packages/store --docs    the same for the examples of its doc comments
//     node tools/readme_example.mjs packages/store --in      the same for a program from standard input, in which
//                                                            a line "// block 2" stands for the README's second example
//
// With DND_URL set, http://127.0.0.1:6080 in an example means that node.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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
 * A program in which lines like "// block 2" stand for the examples of a README: most of those after the first
 * are fragments. All but the first must be there.
 *
 * @param {string} markdown
 * @param {string} program
 * @returns {string}
 */
function fillBlocks(markdown, program) {
  const blocks = [...markdown.matchAll(/^```ts[^\n]*\n([\s\S]*?)^```\s*$/gm)].map(
    ([, text]) => text,
  );
  const missing = new Set(blocks.keys());
  missing.delete(0);
  const filled = program.replaceAll(/^ *\/\/ block (\d+)$/gm, (_, number) => {
    const index = Number(number) - 1;
    missing.delete(index);
    if (blocks[index] === undefined) throw new Error(`the README has no example ${number}`);
    return blocks[index];
  });
  if (missing.size === 0) return filled;
  throw new Error(`not run: examples ${[...missing].map((index) => index + 1).join(", ")}`);
}

/**
 * The ```ts blocks of the doc comments of a package that import something: the others are fragments.
 *
 * @param {string} folder
 * @returns {string[]}
 */
function docExamples(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /^(?!dist|node_modules).*(?<!_test|\.d)\.ts$/.test(name))
    .sort()
    .flatMap((name) => [
      ...readFileSync(join(folder, name), "utf8").matchAll(
        /^ *\* ```ts[^\n]*\n([\s\S]*?)^ *\* ```\s*$/gm,
      ),
    ])
    .map(([, block]) => String(block).replaceAll(/^ *\* ?/gm, ""))
    .filter((block) => /^import /m.test(block));
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

/**
 * Compiles examples inside the package, so that imports by its own name and of its dependencies resolve,
 * and runs them one after the other.
 *
 * @param {string} folder
 * @param {readonly string[]} examples
 * @returns {number} exit code
 */
function runExamples(folder, examples) {
  const temp = mkdtempSync(join(resolve(folder), "dist", "readme-"));
  try {
    const names = examples.map((_, i) => `example${i}`);
    const url = process.env.DND_URL ?? "http://127.0.0.1:6080";
    for (const [i, example] of examples.entries()) {
      const text = `${example.replaceAll("http://127.0.0.1:6080", url)}\nexport {};\n`;
      writeFileSync(join(temp, `${names[i]}.ts`), text);
    }
    writeFileSync(join(temp, "package.json"), JSON.stringify({ type: "module" }));
    const tsconfig = exampleTsconfig(names.map((name) => `${name}.ts`));
    tsconfig.compilerOptions.skipLibCheck = true;
    writeFileSync(join(temp, "tsconfig.json"), JSON.stringify(tsconfig));
    const complaint = compile(temp);
    if (complaint !== "") {
      console.error(complaint);
      return 1;
    }
    for (const [i, name] of names.entries()) {
      const { status } = spawnSync(process.execPath, [join(temp, `out/${name}.js`)], {
        cwd: temp,
        stdio: ["ignore", "inherit", "inherit"],
        timeout: 60_000,
      });
      if (status === 0) continue;
      console.error(`ended with ${status}:\n${examples[i]}`);
      return 1;
    }
    return 0;
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, which] = process.argv.slice(2);
  if (folder === undefined) throw new TypeError("Cannot run an example: name a package folder");
  const readme = which === "--docs" ? "" : readFileSync(join(folder, "README.md"), "utf8");
  const first = firstExample(readme);
  const examples =
    which === "--docs"
      ? docExamples(folder)
      : which === "--in"
        ? [fillBlocks(readme, readFileSync(0, "utf8"))]
        : first === undefined
          ? []
          : [first];
  if (examples.length === 0) throw new Error(`${folder} has no such example`);
  process.exitCode = runExamples(folder, examples);
}
