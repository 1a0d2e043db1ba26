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
  readonly #pieces: Buffer[] = [];
  #text = "";

  addText(text: string): void {
    this.#text += text;
  }

  addBytes(bytes: Buffer): void {
    this.#endText();
    this.#pieces.push(bytes);
  }

  /** The pieces; nothing is added any more. */
  get pieces(): readonly Buffer[] {
    this.#endText();
    return this.#pieces;
  }

  #endText(): void {
    if (this.#text !== "") this.#pieces.push(Buffer.from(this.#text));
    this.#text = "";
  }
}
