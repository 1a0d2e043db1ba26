import { join } from "node:path";
import { expect } from "chai";
import { openEnvironment } from "./_environment.ts";
import { RowMemory } from "./_row_memory.ts";
import { textRow } from "./_rows.ts";
import { freshFolder } from "./_test_utils.ts";

describe("memory of rows", () => {
  it("gives lmdb parts, and is a plain buffer still when lmdb has had them", async () => {
    const environment = await openEnvironment(join(freshFolder(), "data.mdb"));
    const memory = new RowMemory(10);
    memory.bytes.write("firstother");
    const rows = ["a", "b"].map((name) => textRow(0x70, name));
    await environment.commit((writer) => {
      rows.forEach((row, i) => writer.putPart(row, memory, 5 * i, 5 * i + 5));
    });
    const values = rows.map((row) => environment.read(row)?.toString("latin1", 0, 5));
    expect(values).to.deep.equal(["first", "other"]);
    // a property would make it another class of objects to everything that writes into it
    expect(Object.getOwnPropertyNames(memory.bytes)).to.have.length(10);
    expect(Object.getOwnPropertyNames(memory.part(0, 5))).to.include.members(["start", "address"]);
    await environment.close();
  });
});
