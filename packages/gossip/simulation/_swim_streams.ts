import {
  decode,
  encode,
  type Frame,
  type FrameBody,
  type Init,
  type MemberPage,
} from "@dnd/protocol";
import type { SwimMachine } from "../swim_machine.ts";
import type { Effect, Peer, StreamProbeOutcome } from "../swim_types.ts";
import { PageParcel } from "./_packet_parcel.ts";
import { shared } from "./_shared_members.ts";
import type { SimulatedHost } from "./simulated_host.ts";
import type { SimulatedStream } from "./simulated_stream.ts";

/** The node whose streams these are. */
export interface StreamsNode {
  readonly host: SimulatedHost;
  readonly swim: SwimMachine;
  readonly id: string;
  readonly bootId: string;
  perform(effects: readonly Effect[]): void;
}

const exchangeTimeoutMs = 10_000;

/** Stream probes and exchanges of tables, both sides. */
export class SwimStreams {
  #node: StreamsNode;
  #cluster: string;
  #parcels: boolean;

  constructor(node: StreamsNode, options: { readonly cluster: string; readonly parcels: boolean }) {
    this.#node = node;
    this.#cluster = options.cluster;
    this.#parcels = options.parcels;
  }

  /** Serves one that somebody opened. */
  accept(stream: SimulatedStream): void {
    stream.onFrame = (bytes) => {
      const { body } = decode(bytes, "Frame");
      if (body?.type === "probe") this.#answerProbe(stream, body.sequence, body.target);
      else if (body?.type === "hello") this.#serve(stream, body.id);
    };
  }

  /** Tries to reach a peer, and gives the outcome to its `Swim`. */
  probe(peer: Peer, token: number, timeoutMs: number): void {
    const stream = this.#node.host.open(peer.address, "probe");
    let open = true;
    const done = (outcome: StreamProbeOutcome): void => {
      if (!open) return;
      open = false;
      stream.close();
      this.#node.perform(this.#node.swim.handleStreamProbe(token, outcome, this.#node.host.now()));
    };
    stream.onOpen = () => {
      stream.send(frame({ type: "probe", sequence: token, target: peer.id }));
    };
    stream.onFrame = (bytes) => {
      const { body } = decode(bytes, "Frame");
      if (body?.type === "probeAck" && body.target === peer.id) done("ok");
    };
    stream.onEnd = (end) => {
      done(end === "refused" ? "refused" : "failed");
    };
    this.#node.host.schedule(timeoutMs, () => done("failed"));
  }

  #answerProbe(stream: SimulatedStream, sequence: number, target: string): void {
    if (target !== this.#node.id) return stream.close();
    stream.send(frame({ type: "probeAck", sequence, target }));
  }

  /** Exchanges tables with a peer. */
  exchange(peer: Peer): void {
    const stream = this.#node.host.open(peer.address, "members");
    stream.onOpen = () => {
      stream.send(this.#hello());
      this.#sendPages(stream);
    };
    let from = peer.id;
    const merge = (page: MemberPage): void => {
      this.#merge(page, from);
      if (page.last) stream.close();
    };
    stream.onParcel = ({ content }) => merge(content as MemberPage);
    stream.onFrame = (bytes) => {
      const { body } = decode(bytes, "Frame");
      if (body?.type === "hello") from = body.id;
      if (body?.type === "memberPage") merge(body);
    };
    this.#node.host.schedule(exchangeTimeoutMs, () => stream.close());
  }

  /** The served side: takes the pages, then sends its own. */
  #serve(stream: SimulatedStream, id: string): void {
    const merge = (page: MemberPage): void => {
      this.#merge(page, id);
      if (!page.last) return;
      stream.send(this.#hello());
      this.#sendPages(stream);
    };
    stream.onParcel = ({ content }) => merge(content as MemberPage);
    stream.onFrame = (bytes) => {
      const { body } = decode(bytes, "Frame");
      if (body?.type === "memberPage") merge(body);
    };
  }

  #merge({ members }: MemberPage, id: string): void {
    const page = this.#parcels ? members : members.map(shared);
    this.#node.perform(this.#node.swim.mergeMembers(page, { id }, this.#node.host.now()));
  }

  #hello(): Uint8Array {
    const { id, bootId } = this.#node;
    return frame({ type: "hello", id, bootId, purpose: "members", cluster: this.#cluster });
  }

  #sendPages(stream: SimulatedStream): void {
    const pages = this.#node.swim.memberPages();
    pages.forEach((members, i) => {
      const last = i === pages.length - 1;
      if (this.#parcels) stream.send(new PageParcel(members, last));
      else stream.send(frame({ type: "memberPage", members, last }));
    });
  }
}

function frame(body: Init<FrameBody>): Uint8Array {
  const message: Init<Frame> = { body };
  return encode(message, "Frame");
}
