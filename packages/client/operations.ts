import type { CallOptions } from "./key_value_types.ts";

/** A member's state: see DESIGN.md section 5 and rule 2. */
export type MemberState = "alive" | "suspect" | "stopped" | "dead" | "left" | "forgotten";

/** One line of an export: `value` is the text, or the bytes in base64. Bytes survive. */
export interface ExportLine {
  /** The key. */
  readonly key: string;
  /** How `value` is written. */
  readonly encoding: "utf8" | "base64";
  /** The value. */
  readonly value: string;
  /** The stored media type. */
  readonly contentType: string;
  /** When it expires, RFC 3339 in UTC; absent: never. */
  readonly expires?: string;
  /** Its version, as an entity tag with its quotes. */
  readonly etag?: string;
}

/** Options of an export. */
export interface ExportOptions extends CallOptions {
  /** Only keys that start so. Default: all. */
  readonly prefix?: string;
}

/** Options of an import. */
export interface ImportOptions extends CallOptions {
  /** `versions`: merge the lines with their old versions (needs the admin role). Default: new writes. */
  readonly keep?: "versions";
}

/** A line that was not imported. */
export interface ImportFailure {
  /** Its number, from 1. */
  readonly line: number;
  /** Why: an error code. */
  readonly code: string;
  /** The same for people. */
  readonly detail: string;
}

/** What an import did. */
export interface ImportResult {
  /** Lines that are stored now. */
  readonly imported: number;
  /** Lines that are not: the first 1,000 of them. */
  readonly failed: readonly ImportFailure[];
  /** How many that are in all. */
  readonly failedCount: number;
}

/** A member as the answering node sees it. */
export interface ClusterMember {
  /** Node id. */
  readonly id: string;
  /** Label for people. */
  readonly name: string;
  /** Gossip address, `host:port`. */
  readonly address: string;
  /** HTTP address, `host:port`; null when it has none or is not known. */
  readonly httpAddress: string | null;
  /** Its state. */
  readonly state: MemberState;
  /** Whether this is the answering node. */
  readonly self: boolean;
  /** Its incarnation. */
  readonly incarnation: number;
  /** Its generation: one up at each start. */
  readonly generation: number;
  /** Its main thread is blocked. */
  readonly stalled: boolean;
  /** Its clock is beyond the allowed drift. */
  readonly skewed: boolean;
  /** Round trip in milliseconds; null when not measured. */
  readonly rttMs: number | null;
}

/** How far a node's first copy of the data is. */
export interface CopyProgress {
  /** Id of the member that it copies from. */
  readonly peer: string;
  /** Keys so far. */
  readonly keys: number;
  /** Bytes so far. */
  readonly bytes: number;
  /** Of the whole, 0 to 100. */
  readonly percent: number;
}

/** A node and the members that it knows. */
export interface ClusterInfo {
  /** Cluster name. */
  readonly cluster: string;
  /** Id of the answering node. */
  readonly node: string;
  /** Its label. */
  readonly name: string;
  /** Version of the program. */
  readonly version: string;
  /** Version of the gossip protocol. */
  readonly protocol: number;
  /** Its generation. */
  readonly generation: number;
  /** Changes it has applied. */
  readonly counter: number;
  /** Root of its digest in lower-case hex: equal on two nodes means equal contents. */
  readonly digest: string;
  /** Live keys. */
  readonly keys: number;
  /** Whether it is ready. */
  readonly ready: boolean;
  /** All members, this one included. */
  readonly members: readonly ClusterMember[];
  /** Only while the first copy runs: how far it is. */
  readonly copy?: CopyProgress;
}

/** What `/health/ready` says. */
export interface Readiness {
  /** Whether the node is ready. */
  readonly ready: boolean;
  /** Whether it is ready because it is alone (rule 12). */
  readonly alone?: boolean;
  /** Why it is not ready. */
  readonly reasons?: readonly string[];
}

/** What one member holds of a key. */
export interface MemberExplanation {
  /** Node id. */
  readonly node: string;
  /** Label. */
  readonly name: string;
  /** Its state as the answering node sees it. */
  readonly state: MemberState;
  /** Whether it counts for `w` (rule 18): ready, neither left nor forgotten. */
  readonly counts: boolean;
  /** `holds` an entry or tombstone, `absent`, or `unreachable`. */
  readonly answer: "holds" | "absent" | "unreachable";
  /** The entity tag of what it holds durably. */
  readonly etag?: string;
  /** Whether that is a tombstone. */
  readonly deleted?: boolean;
  /** When it expires, RFC 3339. */
  readonly expires?: string;
  /** Bytes of the value. */
  readonly size?: number;
  /** Whether this is the winning version. */
  readonly winner?: boolean;
}

/** Who holds which version of a key, and why the winner won. */
export interface Explanation {
  /** The key. */
  readonly key: string;
  /** Entity tag of the winning version; absent if nobody holds one. */
  readonly etag?: string;
  /** Why it won, for people. */
  readonly reason: string;
  /** What each member holds. */
  readonly members: readonly MemberExplanation[];
}

/** What a backup wrote. */
export interface BackupResult {
  /** The folder on the node. */
  readonly folder: string;
}

/** What an operator does: the part that the client has besides {@link KeyValue}. */
export interface Operations {
  /** The answering node and the members it knows. */
  cluster(options?: CallOptions): Promise<ClusterInfo>;
  /** Whether the node is ready, and why not. */
  readiness(options?: CallOptions): Promise<Readiness>;
  /** Who holds which version of a key, and why the winner won. */
  explain(key: string, options?: CallOptions): Promise<Explanation>;
  /** All entries in key order, as lines that `import()` takes. */
  export(options?: ExportOptions): AsyncIterableIterator<ExportLine>;
  /** Stores lines of an export, parsed or as text. A bad line stops nothing. */
  import(
    lines: Iterable<ExportLine | string> | AsyncIterable<ExportLine | string>,
    options?: ImportOptions,
  ): Promise<ImportResult>;
  /** Calls further peers, `host:port` each. */
  join(peers: readonly string[], options?: CallOptions): Promise<void>;
  /** Leaves the cluster after one complete exchange; fails loudly otherwise (rule 2). Default time: 1 minute. */
  leave(options?: CallOptions): Promise<void>;
  /** Forgets a dead member (rule 3). */
  forget(node: string, options?: CallOptions): Promise<void>;
  /** Makes a consistent copy in a folder of the node's machine. Default time: 10 minutes. */
  backup(folder: string, options?: CallOptions): Promise<BackupResult>;
}
