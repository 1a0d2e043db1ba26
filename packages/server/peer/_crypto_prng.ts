import { randomFillSync } from "node:crypto";

/** Numbers that are fetched at a time: one call of the system for each would cost more than all the rest. */
const numbers = 1024;

/** A source of numbers in [0, 1) that nobody can foresee. */
export function cryptoPrng(): () => number {
  const words = new Uint32Array(numbers);
  let next = numbers;
  return () => {
    if (next === numbers) {
      randomFillSync(words);
      next = 0;
    }
    const word = words[next] ?? 0;
    next += 1;
    return word / 2 ** 32;
  };
}
