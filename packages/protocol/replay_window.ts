/** How far behind the newest packet of a process an older one may arrive. */
export const REPLAY_WINDOW_PACKETS = 1024;

/** Processes of one node id that are told apart: more than one only if a data folder was copied. */
const BOOTS = 4;

/** One word more than the window has: it rarely begins at a word's edge, and then lies in one more. */
const WORDS = REPLAY_WINDOW_PACKETS / 32 + 1;

/**
 * The counters seen from one process: a bitmap that slides (RFC 6479). Two packets with one counter, and
 * one that is too far behind to tell, are replays.
 */
export class ReplayWindow {
  #highest = -1;
  readonly #bits: Uint32Array = new Uint32Array(WORDS);

  /** Whether a counter is new. Changes nothing. */
  isNew(counter: number): boolean {
    if (counter > this.#highest) return true;
    if (counter <= this.#highest - REPLAY_WINDOW_PACKETS) return false;
    const word = this.#bits[Math.floor(counter / 32) % WORDS] ?? 0;
    return (word & (1 << (counter % 32))) === 0;
  }

  /** Takes a counter: `true` the first time, `false` for a replay. */
  accept(counter: number): boolean {
    if (!this.isNew(counter)) return false;
    if (counter > this.#highest) {
      const from = Math.floor(this.#highest / 32);
      const to = Math.floor(counter / 32);
      // Words that the window slides over hold counters of long ago.
      for (let word = Math.max(from + 1, to - WORDS + 1); word <= to; word++) {
        this.#bits[word % WORDS] = 0;
      }
      this.#highest = counter;
    }
    const index = Math.floor(counter / 32) % WORDS;
    this.#bits[index] = (this.#bits[index] ?? 0) | (1 << (counter % 32));
    return true;
  }
}

interface Sender {
  generation: number;
  readonly windows: Map<string, ReplayWindow>;
}

/**
 * The replay windows of all senders. To be asked only about packets that are authentic: so nobody
 * without a key can make it forget anything.
 *
 * A sender's newest generation closes the windows of its earlier processes: all that still comes from
 * them is a replay. What is kept is bounded: {@linkcode ReplayGuard.maxSenders} node ids, the one heard
 * longest ago goes first.
 */
export class ReplayGuard {
  /** Node ids that are remembered. */
  readonly maxSenders: number;
  readonly #senders = new Map<string, Sender>();

  /** @param maxSenders default 8,192: twice the bound of dead members; about 500 bytes each */
  constructor(maxSenders = 8192) {
    this.maxSenders = maxSenders;
  }

  /** Node ids that are remembered now. */
  get size(): number {
    return this.#senders.size;
  }

  /** Whether a packet may be new. Changes nothing; saves the decoding of most replays. */
  isNew(senderId: string, bootId: string, counter: number): boolean {
    return this.#senders.get(senderId)?.windows.get(bootId)?.isNew(counter) ?? true;
  }

  /**
   * Takes a packet.
   *
   * @param generation of the sender, from inside the packet
   * @returns whether it is new
   */
  accept(senderId: string, bootId: string, generation: number, counter: number): boolean {
    let sender = this.#senders.get(senderId);
    if (sender === undefined) sender = { generation, windows: new Map<string, ReplayWindow>() };
    else {
      // A forgotten node raises its generation without a new process, and its earlier packets may be
      // on their way: they are in its window.
      if (generation < sender.generation && !sender.windows.has(bootId)) return false;
      this.#senders.delete(senderId);
    }
    this.#senders.set(senderId, sender); // now the one heard last
    let window = sender.windows.get(bootId);
    if (window === undefined) window = new ReplayWindow();
    else sender.windows.delete(bootId);
    if (generation > sender.generation) {
      sender.windows.clear();
      sender.generation = generation;
    }
    sender.windows.set(bootId, window);
    forgetOldest(sender.windows, BOOTS);
    forgetOldest(this.#senders, this.maxSenders);
    return window.accept(counter);
  }
}

function forgetOldest(map: Map<string, unknown>, size: number): void {
  if (map.size <= size) return;
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
