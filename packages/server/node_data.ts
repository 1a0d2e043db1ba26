import type { Engine } from "@dnd/store";

/** Where a node keeps what it knows, and who it is. */
export interface NodeData {
  readonly id: string;
  readonly generation: number;
  /** Absent: in memory. */
  readonly engine: Engine | undefined;
  /** Nothing is there after a restart. */
  readonly volatile: boolean;
  /** Makes a copy of the data in a folder. */
  readonly copy: ((folder: string) => Promise<void>) | undefined;
  /** Raises the generation above this one, durably (rule 3). @returns the new one */
  raiseGeneration(above: number): number;
  /** Takes a new id, durably: this node runs on a copy (rule 19). Used at the next start. */
  renew(): void;
  /** Appends to the set-aside file; on disk when it returns (rule 1). @returns its path */
  setAside(text: string): string | undefined;
  close(): Promise<void>;
}
