import type { Parcel } from "./parcel.ts";

/** Why a stream ended: in order, refused, no answer in time, or the other process went away. */
export type StreamEnd = "closed" | "refused" | "timeout" | "reset";

/**
 * One side of a connection between two simulated hosts: frames arrive whole, in order and once, as TCP
 * gives them. A lost segment costs time, never data; a cut that lasts breaks the connection.
 */
export class SimulatedStream<Host extends { readonly epoch: number } = { readonly epoch: number }> {
  /** Address of the other side. */
  readonly peerAddress: string;

  /** What the opener said it wants: any text. */
  readonly purpose: string;

  /** Called for each frame. Frames that came before it was set are kept. */
  onFrame: ((frame: Uint8Array) => void) | undefined;

  /** Called for each parcel, in order among the frames. To be set before `onFrame`. */
  onParcel: ((parcel: Parcel) => void) | undefined;

  /** Called when the connection stands (for the opener). */
  onOpen: (() => void) | undefined;

  /** Called once at the end. */
  onEnd: ((end: StreamEnd) => void) | undefined;

  /** @internal */
  readonly host: Host;
  /** @internal */
  readonly epoch: number;
  /** @internal segments sent so far */
  sent = 0;
  /** @internal */
  other: SimulatedStream<Host> | undefined;

  #ended: StreamEnd | undefined;
  #early: (Uint8Array | Parcel)[] = [];
  #expected = 0;
  #overtaking: Map<number, Uint8Array | Parcel | undefined> = new Map();
  readonly #send: (frame: Uint8Array | Parcel | undefined) => void;

  /** @internal streams are made by the network */
  constructor(
    host: Host,
    options: {
      readonly peerAddress: string;
      readonly purpose: string;
      readonly send: (frame: Uint8Array | Parcel | undefined) => void;
    },
  ) {
    this.host = host;
    this.epoch = host.epoch;
    this.peerAddress = options.peerAddress;
    this.purpose = options.purpose;
    this.#send = options.send;
  }

  /** Bytes sent that have not arrived yet: what a real socket would buffer. */
  bufferedBytes = 0;

  /** How it ended; `undefined` while it is open. */
  get ended(): StreamEnd | undefined {
    return this.#ended;
  }

  /** Sends one frame, or what stands for one. After the end it does nothing. */
  send(frame: Uint8Array | Parcel): void {
    if (this.#ended === undefined) this.#send(frame);
  }

  /** Closes in order: what was sent before still arrives. */
  close(): void {
    if (this.#ended !== undefined) return;
    this.#send(undefined);
    this.finish("closed");
  }

  /** @internal what can be delivered now that this segment is here; an end is `undefined` */
  inOrder(
    sequence: number,
    frame: Uint8Array | Parcel | undefined,
  ): (Uint8Array | Parcel | undefined)[] {
    this.#overtaking.set(sequence, frame);
    const ready: (Uint8Array | Parcel | undefined)[] = [];
    while (this.#overtaking.has(this.#expected)) {
      ready.push(this.#overtaking.get(this.#expected));
      this.#overtaking.delete(this.#expected++);
    }
    return ready;
  }

  /** @internal */
  receive(frame: Uint8Array | Parcel): void {
    if (this.#ended !== undefined) return;
    if (this.onFrame === undefined) this.#early.push(frame);
    else this.#give(frame);
    this.flush();
  }

  /** Delivers frames that came before `onFrame` was set. */
  flush(): void {
    while (this.onFrame !== undefined && this.#early.length > 0) {
      const frame = this.#early.shift();
      if (frame !== undefined) this.#give(frame);
    }
  }

  #give(frame: Uint8Array | Parcel): void {
    if (frame instanceof Uint8Array) this.onFrame?.(frame);
    else this.onParcel?.(frame);
  }

  /** @internal */
  finish(end: StreamEnd): void {
    if (this.#ended !== undefined) return;
    this.flush();
    this.#ended = end;
    this.onEnd?.(end);
  }
}
