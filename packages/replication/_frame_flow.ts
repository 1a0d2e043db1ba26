import type { ExchangeHost } from "./_exchange_host.ts";
import type { SizedFrame } from "./entry_frames.ts";
import type { ReplicationFrame } from "./wire.ts";

/** From this delay of the event loop on frames are spaced out, and by how much at most (the floor). */
const LATE_MS = 30;
const MAX_SPACING_MS = 200;

const BULK_BYTES = 8192;

/**
 * What one side of an exchange sends: control frames at once, bulk frames one at a time and spaced out while the
 * event loop is late (rule 11). Reading and encoding many of them in one turn would hold it up.
 */
export class FrameFlow {
  readonly #host: ExchangeHost;
  readonly #stream: number;
  readonly #control: SizedFrame[] = [];
  readonly #unsent: number[] = [];
  #unsentBytes = 0;
  #notBefore = 0;

  /** Entries and bytes sent. */
  entries = 0;
  bytes = 0;

  constructor(host: ExchangeHost, stream: number) {
    this.#host = host;
    this.#stream = stream;
  }

  /** Puts a control frame into the queue. */
  queue(frame: ReplicationFrame, bytes: number): void {
    this.#control.push({ frame, bytes, entries: 0 });
  }

  /** The next control frame. */
  shift(): SizedFrame | undefined {
    return this.#control.shift();
  }

  /**
   * Sends what may be sent now.
   *
   * @param next gives the next frame when no control frame waits; `undefined`: none
   */
  pump(now: number, next: () => SizedFrame | undefined): void {
    for (;;) {
      if (this.#control.length === 0 && (this.#isFull() || now < this.#notBefore)) return;
      const sized = this.#control.shift() ?? next();
      if (sized === undefined) return;
      this.#unsent.push(sized.bytes);
      this.#unsentBytes += sized.bytes;
      this.bytes += sized.bytes;
      this.entries += sized.entries;
      this.#host.send(this.#stream, sized.frame);
      if (sized.bytes > BULK_BYTES && this.#host.delayMs > LATE_MS) {
        const spacing = Math.min(MAX_SPACING_MS, 2 * this.#host.delayMs);
        this.#notBefore = now + spacing;
        this.#host.throttled();
        this.#host.wake(this.#stream, spacing);
      }
    }
  }

  /** A frame has been taken by the stream; returns whether there was one. */
  handleSent(): boolean {
    const bytes = this.#unsent.shift();
    if (bytes === undefined) return false;
    this.#unsentBytes -= bytes;
    return true;
  }

  #isFull(): boolean {
    if (this.#unsentBytes >= this.#host.options.windowBytes) return true;
    return this.#unsent.some((bytes) => bytes > BULK_BYTES);
  }
}
