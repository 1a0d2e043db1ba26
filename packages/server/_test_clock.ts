import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Loaded into a process before anything else, and into its threads: its wall clock is off by what a file says. */
const preload = (file: string): string => `
import { readFileSync } from "node:fs";
const real = Date.now;
let shift = 0;
let looked = -Infinity;
Date.now = () => {
  if (performance.now() - looked > 20) {
    shift = Number(readFileSync(${JSON.stringify(file)}, "utf8"));
    looked = performance.now();
  }
  return real() + shift;
};
`;

/** A wall clock that a test can set, for all processes that have its environment. */
export class Clock {
  readonly env: NodeJS.ProcessEnv;
  readonly #file: string;

  constructor(folder: string, shiftMs: number) {
    this.#file = join(folder, "shift");
    this.set(shiftMs);
    const module = join(folder, "preload.mjs");
    writeFileSync(module, preload(this.#file));
    this.env = { NODE_OPTIONS: `--import ${pathToFileURL(module).href}` };
  }

  set(shiftMs: number): void {
    writeFileSync(`${this.#file}.new`, String(shiftMs));
    renameSync(`${this.#file}.new`, this.#file);
  }
}
