import { CommitError, type Environment, type RowWriter, openEnvironment } from "./_environment.ts";

/** What happens to the commits of a {@linkcode FaultyEnvironment}. */
export type Fault =
  | undefined
  /** Fails, with this error number, after something has happened. */
  | { readonly code: number; readonly after?: () => void }
  /** Never answers. */
  | "hang";

/** A data file whose commits can be made to fail, for tests. */
export class FaultyEnvironment implements Environment {
  fault: Fault;
  commits = 0;
  readonly #inner: Environment;

  constructor(inner: Environment) {
    this.#inner = inner;
  }

  static async open(path: string): Promise<FaultyEnvironment> {
    return new FaultyEnvironment(await openEnvironment(path));
  }

  commit(write: (writer: RowWriter) => void): Promise<void> {
    this.commits += 1;
    if (this.fault === undefined) return this.#inner.commit(write);
    if (this.fault === "hang") return new Promise(() => undefined);
    const { code, after } = this.fault;
    after?.();
    return Promise.reject(new CommitError(code, "made to fail"));
  }

  get lastLength(): number {
    return this.#inner.lastLength;
  }

  get lastKeyChecksum(): number {
    return this.#inner.lastKeyChecksum;
  }

  get transaction(): number {
    return this.#inner.transaction;
  }

  read(...args: Parameters<Environment["read"]>): ReturnType<Environment["read"]> {
    return this.#inner.read(...args);
  }

  entries(...args: Parameters<Environment["entries"]>): ReturnType<Environment["entries"]> {
    return this.#inner.entries(...args);
  }

  range(...args: Parameters<Environment["range"]>): ReturnType<Environment["range"]> {
    return this.#inner.range(...args);
  }

  size(): ReturnType<Environment["size"]> {
    return this.#inner.size();
  }

  copy(path: string): Promise<void> {
    return this.#inner.copy(path);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
