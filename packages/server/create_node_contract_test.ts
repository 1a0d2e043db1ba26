import { createClient } from "@dnd/client";
import { keyValueContract } from "@dnd/client/contract";
import { startAlone } from "./_test_utils.ts";

keyValueContract("createNode()", async () => {
  const { node } = await startAlone();
  return { keyValue: node, close: () => node.close() };
});

keyValueContract("createClient() and the HTTP interface", async () => {
  const { node, url } = await startAlone();
  return { keyValue: createClient({ urls: [url] }), close: () => node.close() };
});
