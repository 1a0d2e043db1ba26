import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolderDeep } from "./_make_folder.ts";

describe("makeFolderDeep()", () => {
  it("makes what is missing, and says where that began", () => {
    const root = mkdtempSync(join(tmpdir(), "dnd-folder-"));
    try {
      assert.equal(makeFolderDeep(join(root, "a/b/c")), join(root, "a"));
      assert.equal(statSync(join(root, "a/b/c")).mode & 0o777, 0o700);
      assert.equal(makeFolderDeep(join(root, "a/b/c")), undefined);
      assert.equal(makeFolderDeep(join(root, "a/d")), join(root, "a/d"));
      assert.equal(makeFolderDeep("/"), undefined);
      writeFileSync(join(root, "file"), "");
      assert.throws(() => makeFolderDeep(join(root, "file")), { code: "EEXIST" });
      assert.throws(() => makeFolderDeep(join(root, "file/x")), { code: "ENOTDIR" });
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it("returns where nothing can be made", function () {
    if (!existsSync("/proc/self")) {
      console.log("skipped: there is no /proc on this machine");
      this.skip();
    }
    assert.throws(() => makeFolderDeep("/proc/dnd/x"), { code: "ENOENT" });
  });
});
