/** What JSON would make of a value without a word. */
export interface Loss {
  /** Where it is: `a.b[2]`; empty for the value itself. */
  readonly path: string;
  /** What it is: `NaN`, `a Map`. */
  readonly what: string;
}

/**
 * Texts in which something may have been lost: a number or a place of an array that became `null`, an
 * object that became `{}` or was written byte by byte.
 */
const suspicious = /null|\{\}|\{"0":/;

/**
 * Whether a value may have lost something on its way into this text. Most have not, and are not looked
 * at again: a replacer function would make every put slower.
 */
export function mayHaveLost(json: string): boolean {
  return suspicious.test(json);
}

/**
 * Finds what JSON does not keep: NaN and infinite numbers, BigInts, what is no value in an array (holes,
 * undefined, functions, symbols), invalid dates, objects whose contents JSON does not see (Map, Set,
 * Promise, ArrayBuffer, bytes ...), and cycles. Properties without a value are left out, as in JSON: they
 * read as undefined before and after.
 *
 * @returns the first one
 */
export function findLoss(value: unknown): Loss | undefined {
  const found = look(value, "", []);
  if (found === undefined) return undefined;
  let path = "";
  // The path is put together on the way out: a value without a loss pays nothing for it.
  for (const name of found.names.reverse()) {
    if (typeof name === "number") path += `[${name}]`;
    else if (isName.test(name)) path += path === "" ? name : `.${name}`;
    else path += `[${JSON.stringify(name)}]`;
  }
  return { path, what: found.what };
}

/** A loss and the names that lead to it, the last one first. */
interface Found {
  readonly what: string;
  readonly names: (string | number)[];
}

function look(value: unknown, key: string | number, above: object[]): Found | undefined {
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : { what: String(value), names: [] };
  }
  if (typeof value === "bigint") return { what: `${value}n, a BigInt`, names: [] };
  if (typeof value !== "object" || value === null) return undefined;
  if (above.includes(value)) return { what: "a cycle", names: [] };
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === "function") {
    if (value instanceof Date && Number.isNaN(value.getTime())) {
      return { what: "an invalid Date", names: [] };
    }
    const own: unknown = toJSON.call(value, String(key));
    if (own !== value) return look(own, key, above);
  }
  above.push(value);
  const found = Array.isArray(value) ? lookAtItems(value, above) : lookAtObject(value, above);
  above.pop();
  return found;
}

function lookAtItems(items: readonly unknown[], above: object[]): Found | undefined {
  for (let at = 0; at < items.length; at += 1) {
    const item = items[at];
    const found =
      item === undefined || typeof item === "function" || typeof item === "symbol"
        ? { what: item === undefined ? "undefined" : `a ${typeof item}`, names: [] }
        : look(item, at, above);
    if (found === undefined) continue;
    found.names.push(at);
    return found;
  }
  return undefined;
}

function lookAtObject(value: object, above: object[]): Found | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    if (opaque.has(tag) || ArrayBuffer.isView(value)) {
      return { what: `${/^[AE]/.test(tag) ? "an" : "a"} ${tag}`, names: [] };
    }
  }
  for (const name of Object.keys(value)) {
    const found = look((value as Readonly<Record<string, unknown>>)[name], name, above);
    if (found === undefined) continue;
    found.names.push(name);
    return found;
  }
  return undefined;
}

const isName = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;

/** Objects that JSON writes as `{}` whatever they hold. */
const opaque: ReadonlySet<string> = new Set([
  ...["Map", "Set", "WeakMap", "WeakSet", "WeakRef", "Promise", "ArrayBuffer", "SharedArrayBuffer"],
  ...["RegExp", "Error", "Generator", "AsyncGenerator", "Blob", "File", "ReadableStream"],
]);
