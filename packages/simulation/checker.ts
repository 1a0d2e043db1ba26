/** A violation of what should hold. */
export interface Violation {
  /** Name of the checker. */
  readonly checker: string;

  /** Virtual milliseconds. */
  readonly at: number;
  readonly message: string;
}

/** Watches a world and remembers what it saw violated; at most 20 of them, and their number. */
export interface Checker {
  readonly name: string;
  readonly violations: readonly Violation[];

  /** Called from time to time during a run. */
  check?(): void;

  /** Called once at the end, when everything was healed and had time to settle. */
  finish?(): void;
}

/** Keeps the first 20 violations. */
export class Violations {
  readonly list: Violation[] = [];
  #checker: string;

  constructor(checker: string) {
    this.#checker = checker;
  }

  add(at: number, message: string): void {
    if (this.list.length < 20) this.list.push({ checker: this.#checker, at, message });
  }
}
