import assert from "node:assert/strict";
import { TestAuthority } from "./_test_certificates.ts";
import { authorityFault } from "./authority_fault.ts";

describe("authorityFault()", () => {
  const { cert, key } = new TestAuthority("dnd test").issue();

  it("takes one certificate or more, with text between them", () => {
    assert.equal(authorityFault(cert), undefined);
    assert.equal(authorityFault(`the first\n${cert}\nthe second\r\n${cert}`), undefined);
  });

  it("says what is wrong with anything else", () => {
    assert.match(authorityFault("") ?? "", /no certificate in PEM/);
    assert.match(authorityFault("x\n") ?? "", /no certificate in PEM/);
    assert.match(authorityFault(key) ?? "", /no certificate in PEM/);
    assert.match(authorityFault(cert.slice(0, -20)) ?? "", /no certificate in PEM/);
    const broken = cert.replace("-----\n", "-----\nAAAA");
    assert.match(authorityFault(`${cert}\n${broken}`) ?? "", /certificate number 2 cannot be read/);
  });
});
