import { expect } from "chai";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { freshFolder, utf8 } from "./_test_utils.ts";
import { FreeSpace } from "./_free_space.ts";
import { openMap } from "./open_map.ts";

describe("FreeSpace", () => {
  it("tells of a lack, and takes a folder that is not there for no lack", () => {
    const folder = freshFolder();
    expect(new FreeSpace(folder, 0).isShort(1)).to.equal(false);
    expect(new FreeSpace(folder, Number.MAX_SAFE_INTEGER).isShort(1)).to.equal(true);
    expect(new FreeSpace(join(folder, "gone")).isShort(1)).to.equal(false);
  });

  it("does not end the process when the folder of a store is moved away", async () => {
    const parent = freshFolder();
    const folder = join(parent, "data");
    const map = await openMap({ folder });
    renameSync(folder, join(parent, "moved"));
    map.put("a", utf8("1"));
    await map.committed();
    await map.close();
    const again = await openMap({ folder: join(parent, "moved") });
    expect(again.has("a")).to.equal(true);
    await again.close();
  });
});
