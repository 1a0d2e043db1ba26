import { readFileSync } from "node:fs";

/** The version of this package. */
export const programVersion: string = readVersion();

function readVersion(): string {
  // The compiled file is in `dist`, beside package.json.
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}
