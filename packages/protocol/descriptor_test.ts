import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

describe("dnd_descriptor.ts", () => {
  it("is what tools/make_descriptor.mjs makes of dnd.proto", () => {
    const tool = fileURLToPath(new URL("../../../tools/make_descriptor.mjs", import.meta.url));
    const { status, stdout } = spawnSync(process.execPath, [tool, "-"], { encoding: "utf8" });
    expect(status).to.equal(0);
    expect(stdout).to.equal(readFileSync(new URL("../dnd_descriptor.ts", import.meta.url), "utf8"));
  });
});
