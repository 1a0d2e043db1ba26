/** Splits chunks of NDJSON into lines, holding one unfinished line of at most `maxChars`. */
export class LineSplitter {
  readonly #decoder: TextDecoder = new TextDecoder("utf-8", { fatal: true });
  readonly #maxChars: number;
  #pieces: string[] = [];
  #chars = 0;

  /** @param maxChars longest line in UTF-16 units */
  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /**
   * Takes the next bytes.
   *
   * @returns the lines that they completed, empty ones left out
   * @throws {RangeError} when a line is too long; {TypeError} for bytes that are not UTF-8
   */
  push(chunk: Uint8Array): string[] {
    return this.#take(this.#decoder.decode(chunk, { stream: true }));
  }

  /** Takes the end. @returns the last line if it had no line feed */
  end(): string[] {
    return this.#take(this.#decoder.decode() + "\n");
  }

  #take(text: string): string[] {
    const parts = text.split("\n");
    const rest = parts.pop() ?? "";
    const lines: string[] = [];
    for (const part of parts) {
      this.#hold(part);
      const line = this.#pieces.join("").trim();
      this.#pieces = [];
      this.#chars = 0;
      if (line !== "") lines.push(line);
    }
    if (rest !== "") this.#hold(rest);
    return lines;
  }

  #hold(piece: string): void {
    this.#chars += piece.length;
    if (this.#chars > this.#maxChars) {
      throw new RangeError(`A line is longer than ${this.#maxChars} characters`);
    }
    this.#pieces.push(piece);
  }
}
