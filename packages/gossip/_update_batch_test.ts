import { expect } from "chai";
import fc from "fast-check";
import { type AddressedUpdate, batchedBytes, packUpdates, unpackUpdates } from "./_update_batch.ts";

describe("packUpdates()", () => {
  it("is undone by unpackUpdates(), for any updates", () => {
    const id = fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((b) => Buffer.from(b).toString("hex"));
    const update = fc.record({ ids: fc.array(id, { maxLength: 5 }), bytes: fc.uint8Array() });
    fc.assert(
      fc.property(fc.array(update), (updates: AddressedUpdate[]) => {
        const packed = packUpdates(updates);
        expect(packed.byteLength).to.equal(updates.reduce((sum, u) => sum + batchedBytes(u), 0));
        expect(unpackUpdates(packed)).to.deep.equal(updates);
      }),
    );
  });
});
