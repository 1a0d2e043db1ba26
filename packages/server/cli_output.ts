import type { CliOutput } from "./cli_io.ts";

/** Standard output could not be written: its disk is full, or its reader has gone (`EPIPE`). */
export class OutputError extends Error {
  override readonly name = "OutputError";
  /** Of the system, such as `EPIPE` or `ENOSPC`. */
  readonly code: string | undefined;

  constructor(cause: Error) {
    super(`Cannot write standard output: ${cause.message}`, { cause });
    this.code = (cause as NodeJS.ErrnoException).code;
  }
}

/**
 * Writes the output of a command as fast as its reader takes it: a pipe that nobody empties holds the
 * command up and never fills its memory, and a failure reaches the command as an error of its own, once.
 */
export class OutputWriter {
  readonly #stream: CliOutput & NodeJS.WritableStream;
  #error: Error | undefined;

  constructor(stream: CliOutput & NodeJS.WritableStream) {
    this.#stream = stream;
  }

  /**
   * Writes a piece; resolves when the stream takes more.
   *
   * @throws {OutputError} when this or an earlier piece could not be written
   */
  async write(piece: string | Uint8Array): Promise<void> {
    this.#check();
    let written = (): void => undefined;
    const done = new Promise<void>((resolve) => (written = resolve));
    const more = this.#stream.write(piece as string, (error?: Error | null) => {
      if (error) this.#error ??= error;
      written();
    });
    if (more) return;
    await done;
    this.#check();
  }

  /**
   * Resolves when all pieces have left.
   *
   * @throws {OutputError} when one could not be written
   */
  async flush(): Promise<void> {
    this.#check();
    await new Promise<void>((resolve) => {
      this.#stream.write("", (error?: Error | null) => {
        if (error) this.#error ??= error;
        resolve();
      });
    });
    this.#check();
  }

  #check(): void {
    if (this.#error !== undefined) throw new OutputError(this.#error);
  }
}

/**
 * Writes the whole of a short output.
 *
 * @throws {OutputError} when it could not be written
 */
export async function writeOutput(
  stream: CliOutput & NodeJS.WritableStream,
  text: string,
): Promise<void> {
  const out = new OutputWriter(stream);
  await out.write(text);
  await out.flush();
}
