// What callers hand over, checked before a file is touched: a misspelt name would be a default that nobody sees, and
// an empty path the folder that the process happens to be in.
import { InputRangeError, InputTypeError } from "@dnd/store";

type Options = Readonly<Record<string, unknown>>;

/** What the clusters of the whole project are held to. */
const MAX_CLUSTER_BYTES = 64;

const ENGINE_OPTIONS = [
  "folder",
  "closesFolder",
  "durability",
  "maxPendingBytes",
  "reserveBytes",
  "journalChanges",
  "journalIdleMs",
  "commitDeadlineMs",
] as const;

const MAP_OPTIONS = ["node", "clock", "maxDriftMs", "maxValueBytes"] as const;

/** Checks the options of an engine: names, types and ranges. */
export function checkEngineOptions(options: unknown): void {
  check(options, ENGINE_OPTIONS);
}

/** Checks the options of a map and its engine; the map checks the values of its own. */
export function checkMapOptions(options: unknown): void {
  check(options, [...ENGINE_OPTIONS, ...MAP_OPTIONS]);
}

/** Checks the options of a data folder. */
export function checkFolderOptions(options: unknown): void {
  checkNames(options, ["cluster"]);
  const { cluster } = options;
  if (cluster === undefined) return;
  if (typeof cluster !== "string") throw wrong("cluster", cluster, "a string");
  const bytes = Buffer.byteLength(cluster);
  if (bytes < 1 || bytes > MAX_CLUSTER_BYTES) {
    throw outside("cluster", cluster, `1 to ${MAX_CLUSTER_BYTES} bytes`);
  }
}

/** Checks a path. */
export function checkPath(name: string, path: unknown): asserts path is string {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw wrong(name, path, "a path");
  }
}

function check(options: unknown, names: readonly string[]): void {
  checkNames(options, names);
  const { folder, closesFolder, durability } = options;
  if (typeof folder !== "object" || folder === null) checkPath("folder", folder);
  else if (typeof (folder as Options)["path"] !== "string") {
    throw wrong("folder", folder, "a path or an open data folder");
  }
  if (closesFolder !== undefined && typeof closesFolder !== "boolean") {
    throw wrong("closesFolder", closesFolder, "a boolean");
  }
  if (durability !== undefined && durability !== "sync" && durability !== "async") {
    throw wrong("durability", durability, '"sync" or "async"');
  }
  checkCount(options, "maxPendingBytes", 1);
  checkCount(options, "reserveBytes", 0);
  checkCount(options, "journalChanges", 1);
  checkTime(options, "journalIdleMs");
  checkTime(options, "commitDeadlineMs");
}

function checkNames(options: unknown, names: readonly string[]): asserts options is Options {
  if (typeof options !== "object" || options === null) throw wrong("options", options, "an object");
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new InputTypeError(
      "invalid-argument",
      `Unknown option ${JSON.stringify(name)}; there are ${names.join(", ")}`,
    );
  }
}

function checkCount(options: Options, name: string, least: number): void {
  const count = options[name];
  if (count === undefined) return;
  const wanted = `a whole number from ${least}`;
  if (typeof count !== "number") throw wrong(name, count, wanted);
  if (!Number.isSafeInteger(count) || count < least) throw outside(name, count, wanted);
}

/** A time for a timer, which takes no more than 31 bits. */
function checkTime(options: Options, name: string): void {
  const ms = options[name];
  if (ms === undefined) return;
  const wanted = "milliseconds above 0, less than 25 days, or Infinity";
  if (typeof ms !== "number") throw wrong(name, ms, wanted);
  if (!(ms > 0) || (ms >= 2 ** 31 && ms !== Infinity)) throw outside(name, ms, wanted);
}

function wrong(name: string, value: unknown, wanted: string): InputTypeError {
  return new InputTypeError("invalid-argument", message(name, value, wanted));
}

function outside(name: string, value: unknown, wanted: string): InputRangeError {
  return new InputRangeError("invalid-argument", message(name, value, wanted));
}

function message(name: string, value: unknown, wanted: string): string {
  return `Invalid ${name}: ${shown(value)}, wanted ${wanted}`;
}

function shown(value: unknown): string {
  if (typeof value !== "string") {
    return Object(value) === value ? `this ${typeof value}` : String(value);
  }
  return JSON.stringify(value.length > 64 ? `${value.slice(0, 61)}...` : value);
}
