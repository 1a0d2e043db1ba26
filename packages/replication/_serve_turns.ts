/** So long after a session the peer that had it lets others go first, in milliseconds: they ask twice in that time. */
const TURN_MS = 2000;

/** Peers that were turned away and are remembered. */
const MOST_WAITING = 64;

/**
 * Who is served next. One session is served at a time (rule 11), and a session may take half a minute: a
 * peer that opens the next one as soon as the last has ended would keep all others out for ever.
 */
export class ServeTurns {
  readonly #waiting = new Map<string, number>();
  #last: string | undefined;
  #endedAt = -Infinity;

  /** A peer was told that this node is busy. */
  turnedAway(peer: string, now: number): void {
    this.#waiting.delete(peer);
    this.#waiting.set(peer, now);
    if (this.#waiting.size <= MOST_WAITING) return;
    const [oldest = peer] = this.#waiting.keys();
    this.#waiting.delete(oldest);
  }

  /** A peer is served. */
  began(peer: string): void {
    this.#waiting.delete(peer);
  }

  /** It is served no longer. */
  ended(peer: string, now: number): void {
    this.#last = peer;
    this.#endedAt = now;
  }

  /** Whether a peer has to let others go first: it was the last one, and somebody was turned away just now. */
  isToWait(peer: string, now: number): boolean {
    if (peer !== this.#last || !isRecent(this.#endedAt, now)) return false;
    for (const [other, at] of this.#waiting) if (other !== peer && isRecent(at, now)) return true;
    return false;
  }
}

/** A clock that was set back counts as much time (rule 8). */
function isRecent(at: number, now: number): boolean {
  return Math.abs(now - at) < TURN_MS;
}
