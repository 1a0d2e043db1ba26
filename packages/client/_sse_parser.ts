/** One event of a stream of server-sent events. */
export interface ServerSentEvent {
  /** Its type; `message` when the stream named none. */
  readonly type: string;
  /** Its data lines, joined by line feeds. */
  readonly data: string;
  /** The last event id at this point; empty if there was none. */
  readonly id: string;
}

/** Thrown when one event is larger than the parser holds. */
export class SseLimitError extends RangeError {
  override readonly name: string = "SseLimitError";
}

/**
 * Reads `text/event-stream` (HTML Standard, section 9.2.6) from chunks of any size. It holds one
 * unfinished event, at most `maxChars` UTF-16 units of it.
 */
export class SseParser {
  readonly #decoder: TextDecoder = new TextDecoder();
  readonly #maxChars: number;
  // Pieces of the unfinished line: joined once, when it ends, so that a long line costs its length.
  #pieces: string[] = [];
  #pieceChars = 0;
  #skipLineFeed = false;
  #type = "";
  #data: string[] = [];
  #dataChars = 0;
  #id = "";
  #retryMs: number | undefined;

  /** @param maxChars largest event in UTF-16 units */
  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /** The id to continue behind; empty if the stream gave none. */
  get lastEventId(): string {
    return this.#id;
  }

  /** How long the stream asks to wait before coming back, in milliseconds. */
  get retryMs(): number | undefined {
    return this.#retryMs;
  }

  /**
   * Takes the next bytes.
   *
   * @returns the events that they completed
   * @throws {SseLimitError} when an event grows beyond the limit; the parser is of no use afterwards
   */
  push(chunk: Uint8Array): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    const text = this.#decoder.decode(chunk, { stream: true });
    let start = 0;
    if (this.#skipLineFeed && text !== "") {
      this.#skipLineFeed = false;
      if (text.charCodeAt(0) === 10) start = 1;
    }
    const end = /\r\n|\n|\r/g;
    end.lastIndex = start;
    for (let match = end.exec(text); match !== null; match = end.exec(text)) {
      this.#hold(text.slice(start, match.index));
      start = end.lastIndex;
      this.#skipLineFeed = match[0] === "\r" && start === text.length;
      const line = this.#pieces.length === 1 ? String(this.#pieces[0]) : this.#pieces.join("");
      this.#pieces = [];
      this.#pieceChars = 0;
      const event = this.#line(line);
      if (event !== undefined) events.push(event);
    }
    if (start < text.length) this.#hold(text.slice(start));
    return events;
  }

  #hold(piece: string): void {
    this.#pieceChars += piece.length;
    if (this.#pieceChars + this.#dataChars > this.#maxChars) {
      throw new SseLimitError(`An event is larger than ${this.#maxChars} characters`);
    }
    this.#pieces.push(piece);
  }

  #line(line: string): ServerSentEvent | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined; // a comment
    const field = colon === -1 ? line : line.slice(0, colon);
    const skip = line.charCodeAt(colon + 1) === 32 ? 2 : 1;
    const value = colon === -1 ? "" : line.slice(colon + skip);
    switch (field) {
      case "event":
        this.#type = value;
        break;
      case "data":
        this.#data.push(value);
        this.#dataChars += value.length + 1;
        break;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        break;
      case "retry":
        if (/^\d{1,9}$/.test(value)) this.#retryMs = Number(value);
        break;
      default: // unknown fields are ignored
    }
    return undefined;
  }

  #dispatch(): ServerSentEvent | undefined {
    const type = this.#type === "" ? "message" : this.#type;
    const data = this.#data;
    this.#type = "";
    this.#data = [];
    this.#dataChars = 0;
    return data.length === 0 ? undefined : { type, data: data.join("\n"), id: this.#id };
  }
}
