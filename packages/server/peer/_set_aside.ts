import { versionToEtag } from "@dnd/client";
import type { Entry } from "@dnd/store";
import { exportLine } from "../export_entries.ts";
import type { NodeData } from "../node_data.ts";
import type { NodeLogger } from "../node_logger.ts";

/** Of what is lost with the process, so much is in the log. */
const lastBytes = 65_536;
/** Versions named in a line of the log. */
const named = 10;

/**
 * Keeps what leaves the map without a delete that anybody could name (rule 1): a file beside the data, in the format
 * of an import, and a line in the log. What cannot be written stays in memory, is said and tried again until it can.
 */
export class SetAside {
  readonly #data: Pick<NodeData, "setAside">;
  readonly #logger: NodeLogger;
  readonly #retryMs: number;
  #unwritten = "";
  #entries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** @param retryMs how long until a file that could not be written is tried again */
  constructor(data: Pick<NodeData, "setAside">, logger: NodeLogger, retryMs = 5000) {
    this.#data = data;
    this.#logger = logger;
    this.#retryMs = retryMs;
  }

  /** Entries that are in no file yet. */
  get unwritten(): number {
    return this.#entries;
  }

  /** @param peer whose state was taken instead */
  keep(peer: string, entries: readonly Entry[]): void {
    for (const entry of entries) this.#unwritten += `${exportLine(entry)}\n`;
    this.#entries += entries.length;
    const file = this.#write();
    this.#logger.warn(
      {
        file,
        peer,
        entries: entries.length,
        versions: entries.slice(0, named).map(({ version }) => versionToEtag(version)),
      },
      `${entries.length} ${entries.length === 1 ? "entry" : "entries"} that the others may have deleted: set aside (rule 1)`,
    );
  }

  /** The last attempt. */
  close(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#entries > 0) this.#write();
    clearTimeout(this.#retry);
    if (this.#entries === 0) return;
    const lines = this.#unwritten.slice(0, lastBytes);
    this.#logger.error({ entries: this.#entries, lines }, "entries that were set aside are lost");
  }

  #write(): string | undefined {
    try {
      const file = this.#data.setAside(this.#unwritten);
      this.#unwritten = "";
      this.#entries = 0;
      return file;
    } catch (error) {
      this.#logger.error(
        { err: error, entries: this.#entries },
        "entries that were set aside cannot be written to their file; they are kept in memory until they can",
      );
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#write();
      }, this.#retryMs);
      return undefined;
    }
  }
}
