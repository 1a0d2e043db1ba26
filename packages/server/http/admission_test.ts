import assert from "node:assert/strict";
import { startAlone } from "../_test_utils.ts";

describe("the health routes and web pages", () => {
  it("can be read by a page of an allowed origin, and are refused to nobody", async () => {
    const origin = "https://page.example";
    const { node, url } = await startAlone({ http: { allowOrigins: [origin] } });
    try {
      for (const path of ["/health", "/health/ready"]) {
        for (const [from, wanted] of [
          [origin, origin],
          ["https://other.example", null],
        ] as const) {
          const response = await fetch(`${url}${path}`, { headers: { origin: from } });
          assert.equal(response.status, 200);
          assert.equal(response.headers.get("access-control-allow-origin"), wanted);
        }
      }
    } finally {
      await node.close();
    }
  });
});
