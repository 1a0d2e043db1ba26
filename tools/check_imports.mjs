// Holds the arrows of the code against the plan: which package may import which, that a package's code imports
// only what its package.json declares, and that no files import each other in a circle (types count).
//
//     node tools/check_imports.mjs
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Which of our packages each package may import. */
const ALLOWED = {
  "@dnd/store": [],
  "@dnd/store-lmdb": ["@dnd/store"],
  "@dnd/protocol": [],
  "@dnd/gossip": ["@dnd/protocol"],
  "@dnd/replication": ["@dnd/store", "@dnd/protocol"],
  "@dnd/client": [],
  "@dnd/server": [
    "@dnd/store",
    "@dnd/store-lmdb",
    "@dnd/protocol",
    "@dnd/gossip",
    "@dnd/replication",
    "@dnd/client",
  ],
  "@dnd/simulation": ["@dnd/store", "@dnd/protocol", "@dnd/gossip", "@dnd/replication"],
};

/** Tests, and what only tests and measurements use, may import what the root declares. */
const IS_TEST = /(_test|_test_utils|_contract|\/contract|\/bench|\/_bench[a-z_]*)\.ts$/;

const problems = [];
/** Files, each with the files that it imports. */
const graph = new Map();

for (const folder of readdirSync(join(root, "packages"), { withFileTypes: true })) {
  if (!folder.isDirectory()) continue;
  const home = join(root, "packages", folder.name);
  const { name, dependencies = {} } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const allowed = ALLOWED[name];
  if (allowed === undefined)
    problems.push(`${name} is not in the plan of ${relative(root, import.meta.filename)}`);
  for (const file of sources(home)) {
    const imports = ts.preProcessFile(readFileSync(file, "utf8"), true, true).importedFiles;
    const targets = [];
    for (const { fileName } of imports) {
      if (fileName.startsWith(".")) targets.push(resolve(dirname(file), fileName));
      else if (!fileName.startsWith("node:"))
        checkPackage(file, packageOf(fileName), { name, allowed, dependencies });
    }
    graph.set(file, targets);
  }
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return ["dist", "node_modules", "testdata"].includes(entry.name) ? [] : sources(path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}

function packageOf(specifier) {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function checkPackage(file, target, { name, allowed = [], dependencies }) {
  if (IS_TEST.test(file) && !target.startsWith("@dnd/")) return;
  const at = relative(root, file);
  if (target.startsWith("@dnd/") && target !== name && !allowed.includes(target)) {
    problems.push(`${at}: ${name} must not import ${target}`);
  } else if (target !== name && dependencies[target] === undefined) {
    problems.push(`${at}: ${target} is not a dependency of ${name}`);
  }
}

/** Strongly connected components of more than one file (Tarjan 1972). */
function circles() {
  const found = [];
  const index = new Map();
  const low = new Map();
  const stack = [];
  const visit = (file) => {
    index.set(file, index.size);
    low.set(file, index.get(file));
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) {
        visit(next);
        low.set(file, Math.min(low.get(file), low.get(next)));
      } else if (stack.includes(next)) low.set(file, Math.min(low.get(file), index.get(next)));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(circle);
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}

for (const circle of circles()) {
  problems.push(`a circle: ${circle.map((file) => relative(root, file)).join(", ")}`);
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else console.log(`imports: ok (${graph.size} files)`);
