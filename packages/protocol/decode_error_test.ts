import { expect } from "chai";
import { DecodeError } from "./decode_error.ts";

describe("DecodeError", () => {
  it("has a code, a message, a cause, and no stack", () => {
    const cause = new Error("inner");
    const error = new DecodeError("malformed", "Cannot decode: no", { cause });
    expect(error).to.be.instanceOf(Error);
    expect(error).to.include({ name: "DecodeError", code: "malformed", cause });
    expect(error.message).to.equal("Cannot decode: no");
    expect(error.stack ?? "").not.to.include(" at ");
  });

  it("leaves the stacks of other errors as they were", () => {
    const limit = Error.stackTraceLimit;
    expect(new DecodeError("replay", "x").code).to.equal("replay");
    expect(Error.stackTraceLimit).to.equal(limit);
    expect(new Error("y").stack).to.include(" at ");
  });
});
