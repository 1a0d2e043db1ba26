import { dirname, join } from "node:path";
import { build } from "esbuild";
import { expect } from "chai";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const MAX_BYTES = 12 * 1024;

describe("the bundle of @dnd/store", () => {
  it("is under 12 KB gzipped with everything in it, and imports nothing", async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [join(dirname(fileURLToPath(import.meta.url)), "mod.js")],
      bundle: true,
      minify: true,
      format: "esm",
      platform: "neutral",
      metafile: true,
      write: false,
    });
    const [file] = outputFiles;
    expect(file).to.not.equal(undefined);
    const size = gzipSync(file?.contents ?? new Uint8Array(), { level: 9 }).length;
    expect(size).to.be.above(4096).and.below(MAX_BYTES);
    expect(Object.values(metafile.outputs).flatMap((output) => output.imports)).to.deep.equal([]);
  });
});
