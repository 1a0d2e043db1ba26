import { FakeNode } from "./_test_utils.ts";
import { createClient } from "./create_client.ts";
import { keyValueContract } from "./key_value_contract.ts";

keyValueContract("createClient() and a node that speaks the HTTP interface", async () => {
  const node = new FakeNode();
  const url = await node.start();
  return { keyValue: createClient({ urls: [url] }), close: () => node.stop() };
});
