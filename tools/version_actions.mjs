// How `nx release version` reads and writes versions here: package.json, without the plugin that nx
// would use for it. All packages have one version, and depend on each other by `^` of it.
import { readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { VersionActions } from "nx/release/index.js";

/** @typedef {import("nx/src/devkit-exports.js").Tree} Tree */

const kinds = /** @type {const} */ ([
  "dependencies",
  "devDependencies",
  "peerDependencies",
  "optionalDependencies",
]);

export default class PackageJsonVersionActions extends VersionActions {
  validManifestFilenames = ["package.json"];

  #manifestPath = () => join(this.projectGraphNode.data.root, "package.json");

  /** @param {Tree} tree */
  async readCurrentVersionFromSourceManifest(tree) {
    const manifestPath = this.#manifestPath();
    return { currentVersion: JSON.parse(tree.read(manifestPath, "utf8")).version, manifestPath };
  }

  async readCurrentVersionFromRegistry() {
    return null;
  }

  /**
   * @param {Tree} tree
   * @param {import("nx/src/devkit-exports.js").ProjectGraph} graph
   * @param {string} dependency a project name
   */
  async readCurrentVersionOfDependency(tree, graph, dependency) {
    const manifest = JSON.parse(tree.read(this.#manifestPath(), "utf8"));
    const name = packageName(tree, graph, dependency);
    for (const kind of kinds) {
      const currentVersion = manifest[kind]?.[name];
      if (currentVersion !== undefined) return { currentVersion, dependencyCollection: kind };
    }
    return { currentVersion: null, dependencyCollection: null };
  }

  /**
   * @param {Tree} tree
   * @param {string} newVersion
   */
  async updateProjectVersion(tree, newVersion) {
    const logs = [];
    for (const { manifestPath } of this.manifestsToUpdate) {
      const manifest = JSON.parse(tree.read(manifestPath, "utf8"));
      manifest.version = newVersion;
      tree.write(manifestPath, `${JSON.stringify(manifest, undefined, 2)}\n`);
      logs.push(`New version ${newVersion} written to ${manifestPath}`);
    }
    return logs;
  }

  /**
   * @param {Tree} tree
   * @param {import("nx/src/devkit-exports.js").ProjectGraph} graph
   * @param {Record<string, string>} versions by project name
   */
  async updateProjectDependencies(tree, graph, versions) {
    const logs = [];
    for (const { manifestPath } of this.manifestsToUpdate) {
      const manifest = JSON.parse(tree.read(manifestPath, "utf8"));
      for (const [project, version] of Object.entries(versions)) {
        const name = packageName(tree, graph, project);
        for (const kind of kinds) {
          if (manifest[kind]?.[name] === undefined) continue;
          const range = `^${version.replace(/^[\^~]/, "")}`;
          manifest[kind][name] = range;
          logs.push(`${name} ${range} written to ${manifestPath}`);
        }
      }
      tree.write(manifestPath, `${JSON.stringify(manifest, undefined, 2)}\n`);
    }
    return logs;
  }
}

/**
 * @param {Tree} tree
 * @param {import("nx/src/devkit-exports.js").ProjectGraph} graph
 * @param {string} project
 * @returns {string}
 */
function packageName(tree, graph, project) {
  const root = graph.nodes[project]?.data.root ?? "";
  return JSON.parse(tree.read(join(root, "package.json"), "utf8")).name;
}

/**
 * The lock file repeats the versions of the packages.
 *
 * @param {string} cwd
 * @param {{ dryRun?: boolean }} options
 */
export async function afterAllProjectsVersioned(cwd, { dryRun }) {
  if (dryRun === true) return { changedFiles: [], deletedFiles: [] };
  const path = join(cwd, "package-lock.json");
  const before = readFileSync(path, "utf8");
  const args = ["install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status } = spawnSync("npm", args, { cwd, stdio: "inherit" });
  if (status !== 0) {
    writeFileSync(path, before);
    throw new Error("Cannot write the versions into package-lock.json: npm install failed");
  }
  return { changedFiles: ["package-lock.json"], deletedFiles: [] };
}
