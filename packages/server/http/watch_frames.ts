import { ServerResponse } from "node:http";
import { versionToEtag, versionToMs } from "@dnd/client";
import type { FeedChange } from "../change_feed.ts";
import { timeText } from "../entry_text.ts";
import { itemJson } from "./item_json.ts";

/** A change as a server-sent event. */
export function changeFrame(change: FeedChange, id: string, values: boolean): string {
  const { type, key, entry } = change;
  const data =
    type === "put"
      ? itemJson(entry, values)
      : JSON.stringify({
          key,
          etag: versionToEtag(entry.version),
          modified: timeText(versionToMs(entry.version)),
        });
  return `event: ${type}\nid: ${id}\ndata: ${data}\n\n`;
}

/** The event that says that changes may be missing. */
export function resetFrame(id: string, reason: string): string {
  return `event: reset\nid: ${id}\ndata: ${JSON.stringify({ reason })}\n\n`;
}

/** From this length on a frame has bytes of its own, which all that see it share. */
const largeFrame = 8 * 1024;

interface Frame {
  readonly text: string;
  bytes: Buffer | undefined;
}

/** The frames of some changes, each made once however many see it. */
export class FrameCache {
  readonly #idOf: (counter: number) => string;
  readonly #frames: readonly [Map<FeedChange, Frame>, Map<FeedChange, Frame>] = [
    new Map<FeedChange, Frame>(),
    new Map<FeedChange, Frame>(),
  ];

  /** @param idOf the id of a change by its counter */
  constructor(idOf: (counter: number) => string) {
    this.#idOf = idOf;
  }

  /** Adds the frame of a change to what a group or a watcher sees. */
  addTo(output: FrameOutput, change: FeedChange, values: boolean): void {
    const frames = this.#frames[values ? 1 : 0];
    let frame = frames.get(change);
    if (frame === undefined) {
      const text = changeFrame(change, this.#idOf(change.counter), values);
      frame = { text, bytes: text.length < largeFrame ? undefined : Buffer.from(text) };
      frames.set(change, frame);
    }
    if (frame.bytes === undefined) output.addText(frame.text);
    else output.addBytes(frame.bytes);
  }
}

/** Frames that go out together: small ones in one piece, large ones as they are shared. */
export class FrameOutput {
  readonly #pieces: (Buffer | string)[] = [];
  #text = "";

  addText(text: string): void {
    this.#text += text;
  }

  addBytes(bytes: Buffer): void {
    this.#endText();
    this.#pieces.push(bytes);
  }

  /** What was added, ready to be written to any number of watchers; nothing is added any more. */
  get packet(): WatchPacket {
    this.#endText();
    return new WatchPacket(this.#pieces);
  }

  #endText(): void {
    if (this.#text !== "") this.#pieces.push(this.#text);
    this.#text = "";
  }
}

/**
 * Bytes that many watchers get. With a chunk's length before and its end behind (RFC 9112, 7.1) they are made
 * once for all of them, most often in one buffer, and written as they are: to a thousand watchers that costs a
 * thousand writes, whatever is in it. `response.write()` would put four pieces together for each.
 */
export class WatchPacket {
  readonly #pieces: readonly (Buffer | string)[];
  #plain: readonly Buffer[] | undefined;
  #chunk: readonly Buffer[] | undefined;

  /** @param pieces bytes, and texts in UTF-8 */
  constructor(pieces: readonly (Buffer | string)[]) {
    this.#pieces = pieces;
  }

  /** Writes to one watcher, whose head is out. */
  writeTo(response: ServerResponse): void {
    const { socket } = response;
    if (this.#pieces.length === 0) return;
    // Whoever wraps the answer (a middleware that compresses) must see what is written.
    const wrapped = response.write !== ServerResponse.prototype.write;
    if (socket === null || wrapped || !response.headersSent || !response.chunkedEncoding) {
      this.#plain ??= this.#pieces.map((piece) => Buffer.from(piece));
      for (const bytes of this.#plain) response.write(bytes);
      return;
    }
    this.#chunk ??= chunkOf(this.#pieces);
    const [first] = this.#chunk;
    if (first !== undefined && this.#chunk.length === 1) {
      socket.write(first);
      return;
    }
    socket.cork();
    for (const bytes of this.#chunk) socket.write(bytes);
    socket.uncork();
  }
}

/** One chunk of a body: what stands between two large pieces is one buffer. */
function chunkOf(pieces: readonly (Buffer | string)[]): readonly Buffer[] {
  const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
  const buffers: Buffer[] = [];
  let text = `${length.toString(16)}\r\n`;
  for (const piece of pieces) {
    if (typeof piece === "string") {
      text += piece;
      continue;
    }
    if (text !== "") buffers.push(Buffer.from(text));
    text = "";
    buffers.push(piece);
  }
  buffers.push(Buffer.from(`${text}\r\n`));
  return buffers;
}
