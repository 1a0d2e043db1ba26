import { decode } from "@dnd/protocol";
import type { Entry } from "@dnd/store";
import type { NodeLogger } from "../node_logger.ts";

/** Entries that are handed on in one piece: a larger batch would only hold up the event loop. */
const mostEntries = 1024;

/** Options of {@linkcode UpdateReader}. */
export interface UpdateReaderOptions {
  readonly logger: NodeLogger;
  readonly handle: (from: string, entries: readonly Entry[]) => void;
}

/**
 * Reads the updates that gossip brings. The many of one turn become one batch for each sender: to merge a
 * hundred entries at a time takes about half of what it takes to merge them in packets of eight.
 */
export class UpdateReader {
  readonly #options: UpdateReaderOptions;
  #from = "";
  #entries: Entry[] = [];
  #scheduled = false;

  constructor(options: UpdateReaderOptions) {
    this.#options = options;
  }

  /** Takes an encoded update; it is handed on before the event loop does anything else. */
  add(from: string, bytes: Uint8Array): void {
    let entries: readonly Entry[];
    try {
      ({ entries } = decode(bytes, "Update"));
    } catch (error) {
      this.#options.logger.debug({ from, err: error }, "an update could not be read");
      return;
    }
    if (from !== this.#from || this.#entries.length + entries.length > mostEntries) this.#flush();
    this.#from = from;
    for (const entry of entries) this.#entries.push(entry);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#entries.length === 0) return;
    const entries = this.#entries;
    this.#entries = [];
    this.#options.handle(this.#from, entries);
  }
}
