import { dirname } from "node:path";
import { build } from "esbuild";
import { expect } from "chai";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** Bundles some of the exports; gives the size in bytes, gzipped, and what is imported from elsewhere. */
async function bundle(names: string): Promise<{ size: number; imports: readonly unknown[] }> {
  const folder = dirname(fileURLToPath(import.meta.url));
  const { outputFiles, metafile } = await build({
    stdin: { contents: `export ${names} from "./mod.js"`, resolveDir: folder },
    ...{ bundle: true, minify: true, format: "esm", platform: "neutral" },
    ...{ metafile: true, write: false },
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  return { size: gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length, imports };
}

describe("the bundle of @dnd/store", () => {
  it("is under 12 KB gzipped with the map and its engine in it, and imports nothing", async () => {
    const { size, imports } = await bundle("{ VersionedMap }");
    expect(size).to.be.above(4096).and.below(12_000);
    expect(imports).to.deep.equal([]);
  });

  it("is under 12 KB with everything else that the package exports", async () => {
    expect((await bundle("*")).size).to.be.below(12 * 1024);
  });
});
