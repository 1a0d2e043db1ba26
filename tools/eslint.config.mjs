// One lint configuration for the workspace. Type-aware; the pure cores may not read a clock or draw
// from the shared random source (the first law of the design).
import tseslint from "typescript-eslint";

const pureCores = [
  "packages/store/**/*.ts",
  "packages/replication/**/*.ts",
  "packages/gossip/swim*.ts",
  "packages/gossip/simulation/**/*.ts",
];

export default tseslint.config(
  { ignores: ["**/dist/**", "**/testdata/**", "**/*_descriptor.ts", "**/*.d.ts"] },
  {
    files: ["packages/**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/restrict-template-expressions": "off",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-restricted-syntax": [
        "error",
        {
          selector: "PropertyDefinition[accessibility='private']",
          message: "Use a #private name.",
        },
      ],
    },
  },
  {
    files: ["packages/**/*_test.ts", "packages/**/*_contract.ts", "packages/**/_test_utils.ts"],
    rules: { "@typescript-eslint/no-unused-expressions": "off" },
  },
  {
    files: pureCores,
    ignores: ["**/*_test.ts", "**/bench.ts", "**/_test_utils.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: "Time comes in as `now`." },
        { object: "Math", property: "random", message: "Randomness comes in as `prng`." },
        { object: "performance", property: "now", message: "Time comes in as `now`." },
      ],
    },
  },
  {
    files: ["tools/**/*.mjs"],
    extends: [tseslint.configs.recommended],
  },
);
