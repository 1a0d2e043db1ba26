import { Backpressure } from "./_backpressure.ts";
import { ClockCheck } from "./_clock_check.ts";
import type { Context, Peer } from "./_context.ts";
import { Exchanges } from "./_exchanges.ts";
import { ExchangeWiring } from "./_exchange_wiring.ts";
import { Leaving } from "./_leaving.ts";
import { Membership } from "./_membership.ts";
import { Occasions } from "./_occasions.ts";
import { Promises } from "./_promises.ts";
import { Pushes } from "./_pushes.ts";
import { Readiness } from "./_readiness.ts";
import { Receipts } from "./_receipts.ts";
import { Rumors } from "./_rumors.ts";
import type { OutgoingMember } from "./wire.ts";

/** What a replicator is made of. */
export interface ReplicatorParts {
  readonly rumors: Rumors;
  readonly promises: Promises;
  readonly readiness: Readiness;
  readonly exchanges: Exchanges;
  readonly wiring: ExchangeWiring;
  readonly pushes: Pushes;
  readonly receipts: Receipts;
  readonly occasions: Occasions;
  readonly clockCheck: ClockCheck;
  readonly leaving: Leaving;
  readonly membership: Membership;
}

/** What they take from around them. */
export interface PartsHost {
  /** The member table of the membership layer, as it goes out. */
  readonly members: () => readonly OutgoingMember[];
  /** The peers of the context, to write to. */
  readonly peers: Map<string, Peer>;
  /** The number of the next stream. */
  readonly nextStream: () => number;
}

/** Makes the parts and tells them of each other. */
export function createParts(context: Context, host: PartsHost): ReplicatorParts {
  const { members, nextStream, peers } = host;
  const backpressure = new Backpressure(context);
  // What is needed of those that are made later is called when there is something to do, not before.
  const rumors: Rumors = new Rumors(context, {
    pushLarge: (entry, to, now) => {
      for (const peer of to) pushes.push(peer, entry, { now });
    },
    pushBulk: (bulk, now) => pushes.pushBulk(bulk, now),
    isStreamed: (peer, now) => pushes.isStreamed(peer, now),
    onDropped: (now, peer) => occasions.handleDropped(now, peer),
  });
  const promises = new Promises(context);
  const readiness = new Readiness(context, promises);
  const pushes: Pushes = new Pushes(context, rumors, {
    backpressure,
    isReady: () => readiness.ready,
    nextStream,
  });
  const receipts = new Receipts(context, pushes);
  const wiring = new ExchangeWiring(context, {
    ...{ rumors, backpressure, promises, readiness, members },
    onWaySince: (peer, now) => pushes.onWaySince(peer, now),
    onComplete: (session, result, now) => {
      occasions.handleComplete(session.peer, session.startedAt);
      leaving.handleComplete(session, result.peerReady, now);
    },
  });
  const exchanges = new Exchanges(context, wiring, nextStream);
  wiring.exchanges = exchanges;
  const occasions: Occasions = new Occasions(context, { promises, readiness, exchanges });
  const clockCheck = new ClockCheck(context, { promises, readiness, rumors });
  const leaving: Leaving = new Leaving(context, { promises, exchanges });
  const membership = new Membership(context, peers, {
    ...{ promises, readiness, exchanges, wiring, occasions, clockCheck, pushes },
  });
  return {
    ...{ rumors, promises, readiness, exchanges, wiring, pushes, receipts, occasions },
    ...{ clockCheck, leaving, membership },
  };
}
