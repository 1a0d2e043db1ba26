/** Members that left or were forgotten and are remembered (rule 3). */
const MAX_GONE = 4096;

/** Records that hearsay fills a table up to: they have to fit into the pages of an exchange. */
const MAX_RECORDS = 12_000;

/**
 * Rule 1: when may a delete be forgotten? Only when everybody has it, by proof.
 *
 * *heard*: for each member, its clock at the start of the last complete exchange that brought us all
 * it held. A complete exchange also takes over what the peer had heard: who has all of B has all that B
 * had. *seen*: the least `heard` over all members; everything written anywhere up to it is here (itself
 * or something newer). *watermark*: the least `seen` over all members; everything up to it is everywhere.
 * *horizon*: the watermark, held back by a grace of an hour; what lies below may be forgotten.
 *
 * Why not "exchanged with that peer up to T"? Because nothing follows from pairs: C's write may reach A
 * by way of B, long after A and B agreed. Of 20,000 random schedules 692 undid a delete that way
 * (`watermark_model_test.ts` runs both).
 *
 * A member that left or was forgotten still counts until the rest of `seen` has passed the stamp of its
 * departure: what it wrote before may still be on its way through others.
 *
 * Promises are told to others only once they are durable (rule 9): `seen` here is the working value,
 * `announced` what was committed.
 */
export class MemberTable {
  readonly self: string;
  readonly #records = new Map<string, MemberRecord>();
  readonly #heard = new Map<string, number>();
  #seen = 0;
  #announcedSeen = 0;
  #announcedHeard: ReadonlyMap<string, number> = new Map();

  /**
   * Whether this node is ready only because nobody answered who was to be asked (rule 12): its `seen` then speaks
   * of itself alone, or of few. Told to a cluster, it would say that this node has all that the cluster wrote, and
   * whoever completes an exchange with it would take that over. So nothing is told, and the first complete exchange
   * starts anew.
   */
  unproven = false;

  constructor(self: string) {
    this.self = self;
    this.#records.set(self, { state: "in", generation: 0, departed: 0, seen: 0, ready: false });
  }

  /** All records, this node's among them. */
  get records(): ReadonlyMap<string, Readonly<MemberRecord>> {
    return this.#records;
  }

  /** What was heard of a member, 0 if nothing. */
  heard(id: string): number {
    return this.#heard.get(id) ?? 0;
  }

  /** The working value; {@linkcode announcedSeen} is what may be told. */
  get seen(): number {
    return this.#seen;
  }

  /** `seen` as last committed, and as it is told; 0 of one that is unproven. */
  get announcedSeen(): number {
    return this.unproven ? 0 : this.#announcedSeen;
  }

  /** `heard` as last committed. */
  get announcedHeard(): ReadonlyMap<string, number> {
    return this.#announcedHeard;
  }

  /** Whether a member holds a place in `seen` and watermark. */
  isIn(id: string): boolean {
    return this.#records.get(id)?.state === "in";
  }

  /** Ids of the members that are in, without this node. */
  others(): string[] {
    const ids: string[] = [];
    for (const [id, record] of this.#records) {
      if (record.state === "in" && id !== this.self) ids.push(id);
    }
    return ids;
  }

  /**
   * Merges what is said of a member. A higher generation wins; inside one, leaving and being forgotten
   * are final and the later stamp counts; `seen` only rises.
   *
   * @returns whether anything changed
   */
  merge(id: string, said: MemberClaim): boolean {
    const held = this.#records.get(id);
    if (held === undefined) {
      this.#records.set(id, {
        state: said.state,
        generation: said.generation,
        departed: said.departed,
        seen: said.seen,
        ready: said.ready ?? false,
      });
      return true;
    }
    let changed = false;
    if (said.generation > held.generation) {
      changed = held.state !== said.state;
      held.generation = said.generation;
      held.state = said.state;
      held.departed = said.departed;
      if (said.ready !== undefined) held.ready = said.ready;
    } else if (said.generation === held.generation) {
      if (said.state !== "in") {
        if (rank(said.state) > rank(held.state)) {
          held.state = said.state;
          changed = true;
        }
        if (said.departed > held.departed) {
          held.departed = said.departed;
          changed = true;
        }
      }
      if (said.ready !== undefined) held.ready = said.ready;
    }
    if (said.seen > held.seen && id !== this.self) {
      held.seen = said.seen;
      changed = true;
    }
    return changed;
  }

  /** This node speaks with a new generation: it is in again, whatever was said of older ones. */
  reenter(generation: number): void {
    const own = this.#own();
    own.generation = generation;
    own.state = "in";
    own.departed = 0;
  }

  /** The clock was set back (rule 8): nothing above this stamp was heard or seen. */
  lower(stamp: number): void {
    for (const [id, time] of this.#heard) if (time > stamp) this.#heard.set(id, stamp);
    this.#seen = Math.min(this.#seen, stamp);
    this.#announcedSeen = Math.min(this.#announcedSeen, stamp);
    this.#own().seen = this.#announcedSeen;
  }

  /** Records that may come of what somebody says of others. */
  get room(): number {
    return MAX_RECORDS - this.#records.size;
  }

  /**
   * Keeps the table bounded where nodes come and go for years: of those that left or were forgotten, the
   * latest stay (rule 3), and all whose departure the horizon has not passed. Of the others everybody has
   * everything, by proof.
   *
   * @param keep how many stay
   */
  prune(horizon: number, keep: number = MAX_GONE): void {
    let gone = 0;
    for (const { state } of this.#records.values()) if (state !== "in") gone += 1;
    if (gone <= keep) return;
    const passed = [...this.#records]
      .filter(([, { state, departed }]) => state !== "in" && departed <= horizon)
      .sort(([, a], [, b]) => a.departed - b.departed);
    for (const [id] of passed.slice(0, gone - keep)) this.remove(id);
  }

  /** Drops a record that nothing depends on any more. */
  remove(id: string): void {
    if (id === this.self) return;
    this.#records.delete(id);
    this.#heard.delete(id);
  }

  /**
   * A complete exchange with a peer: it held nothing at this clock that is not here now.
   *
   * @param peer its id
   * @param promise its clock at the start, and what it had heard and seen then
   */
  complete(peer: string, promise: ExchangePromise): void {
    const { cutoff } = promise;
    if (this.unproven) {
      this.#seen = 0;
      this.#announcedSeen = 0;
    }
    for (const [id, time] of promise.heard ?? []) {
      if (id !== this.self && this.#records.has(id)) this.#raise(id, Math.min(time, cutoff));
    }
    this.#raise(peer, Math.min(promise.clock, cutoff));
    this.#seen = Math.max(this.#seen, Math.min(promise.seen, cutoff));
  }

  /**
   * Computes `seen` from `heard`.
   *
   * @param clock this node's own clock
   */
  advance(clock: number): void {
    let seen = clock;
    for (const [id, record] of this.#records) {
      if (record.state === "in" && id !== this.self) seen = Math.min(seen, this.heard(id));
    }
    for (const [id, record] of this.#records) {
      // The departure clause: it counts until the rest has passed the stamp of its departure.
      if (record.state !== "in" && seen < record.departed) seen = Math.min(seen, this.heard(id));
    }
    if (seen > this.#seen) this.#seen = seen;
  }

  /**
   * The least `seen` of all members: everything up to it is everywhere. Who is alone and learns of others
   * holds it back until the first complete exchange: what it took has reached nobody.
   */
  watermark(): { readonly stamp: number; readonly heldBackBy: string } {
    let stamp = Infinity;
    let heldBackBy = this.self;
    const own = this.unproven && this.others().length > 0 ? 0 : this.#announcedSeen;
    for (const [id, record] of this.#records) {
      if (record.state !== "in") continue;
      const seen = id === this.self ? own : record.seen;
      if (seen < stamp) {
        stamp = seen;
        heldBackBy = id;
      }
    }
    return { stamp, heldBackBy };
  }

  /**
   * Whom to blame for a low `seen` of our own: the member that we have not heard for longest.
   */
  leastHeard(): string | undefined {
    let least = Infinity;
    let found: string | undefined;
    for (const id of this.others()) {
      if (this.heard(id) < least) {
        least = this.heard(id);
        found = id;
      }
    }
    return found;
  }

  /**
   * Our `seen` as far as a peer's members go. Ours counts only members that are in *our* table. One
   * that we forgot and the peer still counts may have written what we never heard of: two sides that
   * had forgotten each other would otherwise each believe to have seen everything.
   *
   * @param counted ids that the peer has in
   */
  seenFor(counted: Iterable<string>): number {
    let seen = this.announcedSeen;
    for (const id of counted) {
      if (this.#records.get(id)?.state === "forgotten") seen = Math.min(seen, this.heard(id));
    }
    return seen;
  }

  /** A snapshot for the disk. */
  snapshot(): MemberSnapshot {
    return {
      seen: this.#seen,
      heard: [...this.#heard],
      records: [...this.#records].map(([id, record]) => ({ id, ...record })),
    };
  }

  /** What was in a snapshot is durable: it may be told. */
  announce(snapshot: MemberSnapshot): void {
    this.#announcedSeen = Math.max(this.#announcedSeen, snapshot.seen);
    this.#announcedHeard = new Map(snapshot.heard);
    this.#own().seen = this.announcedSeen;
  }

  /** Takes over what was read from the disk. */
  restore(snapshot: MemberSnapshot): void {
    for (const { id, ...record } of snapshot.records) this.#records.set(id, { ...record });
    for (const [id, time] of snapshot.heard) this.#heard.set(id, time);
    this.#seen = snapshot.seen;
    this.announce(snapshot);
  }

  #own(): MemberRecord {
    return this.#records.get(this.self) as MemberRecord;
  }

  #raise(id: string, time: number): void {
    if (time > this.heard(id)) this.#heard.set(id, time);
  }
}

/** What this node keeps of a member for rule 1. */
export interface MemberRecord {
  /** `in` covers alive, suspect, stopped and dead: all of them keep their place. */
  state: MemberPlace;
  generation: number;
  /** The stamp of leaving or of being forgotten; 0 for a member that is in. */
  departed: number;
  /** Its own announced `seen`. */
  seen: number;
  ready: boolean;
}

/** Whether a member counts. */
export type MemberPlace = "in" | "left" | "forgotten";

/** What is said of a member. */
export interface MemberClaim {
  readonly state: MemberPlace;
  readonly generation: number;
  readonly departed: number;
  readonly seen: number;
  readonly ready?: boolean | undefined;
}

/** What a complete exchange promises. */
export interface ExchangePromise {
  readonly clock: number;
  readonly seen: number;
  readonly heard?: Iterable<readonly [string, number]>;
  /** Entries with later stamps were not compared; `Infinity`: all were. */
  readonly cutoff: number;
}

/** The durable part of a table. */
export interface MemberSnapshot {
  readonly seen: number;
  readonly heard: readonly (readonly [string, number])[];
  readonly records: readonly ({ readonly id: string } & Readonly<MemberRecord>)[];
}

function rank(state: MemberPlace): number {
  return state === "in" ? 0 : state === "left" ? 1 : 2;
}
