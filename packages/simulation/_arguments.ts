/** `--name value` and `--flag` of a command line; an unknown name or a bad number ends the program. */
export function readArguments<Defaults extends Record<string, number | boolean | string>>(
  argv: readonly string[],
  defaults: Defaults,
): Defaults {
  const values: Record<string, number | boolean | string> = { ...defaults };
  for (let i = 0; i < argv.length; i += 1) {
    const [name = "", inline] = (argv[i] ?? "").replace(/^--/, "").split("=", 2);
    const byDefault = defaults[name];
    if (byDefault === undefined || !argv[i]?.startsWith("--")) {
      const known = Object.keys(defaults).map((key) => `--${key}`);
      throw new TypeError(`Cannot run: ${argv[i]} is none of ${known.join(" ")}`);
    }
    if (typeof byDefault === "boolean") {
      values[name] = inline !== "false";
      continue;
    }
    const text = inline ?? argv[(i += 1)] ?? "";
    const value = typeof byDefault === "number" ? Number(text) : text;
    if (text === "" || Number.isNaN(value)) {
      throw new TypeError(`Cannot run: --${name} wants a ${typeof byDefault}, not "${text}"`);
    }
    values[name] = value;
  }
  return values as Defaults;
}
