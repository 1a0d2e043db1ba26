import { stampOf } from "@dnd/store";
import type { ExchangeTerms, OwnOpen } from "./_exchange_host.ts";
import type { ExchangeOpen } from "@dnd/protocol";

/** Entries younger than this are on their way as rumors (rule 11). */
const YOUNG_MS = 2000;

/** What both sides have said, and what this one knows beside it. */
export interface Openings {
  readonly own: OwnOpen;
  readonly peer: ExchangeOpen;
  readonly role: "opener" | "server";
  readonly reason: string;
  /** From which stamp on entries are on their way to the peer. */
  readonly onWaySince: number;
}

/** What follows from the two openings. */
export interface Settlement {
  readonly terms: ExchangeTerms;
  /** False if each missed deletes of the other: two clusters that never met (rule 1). */
  readonly met: boolean;
  /** Whether this side drives the walk. */
  readonly drives: boolean;
}

/**
 * Settles the terms of an exchange: a function of the two openings, so both sides come to the same; but for the
 * cutoff, which is each side's own.
 */
export function settleTerms(openings: Openings, now: number): Settlement {
  const { own, peer, role, reason, onWaySince } = openings;
  const missed = peer.ready && own.below < peer.horizon;
  const peerMissed = own.ready && peer.below < own.horizon;
  // Who was ready alone tells no `seen` until it has exchanged: nobody counts what it wrote so far.
  const isNew = own.seen === 0;
  const isPeerNew = peer.seen === 0;
  const isPaced = reason === "difference" || reason === "periodic";
  const terms: ExchangeTerms = {
    horizon: Math.max(own.ready ? own.horizon : 0, peer.ready ? peer.horizon : 0),
    // If each is below the other they never met: both keep everything (rule 1).
    below: missed && !peerMissed,
    peerBelow: peerMissed && !missed,
    joins: peer.ready && (!own.ready || (isNew && !isPeerNew)),
    cutoff: isPaced ? Math.min(stampOf(now - YOUNG_MS), onWaySince - 1) : Infinity,
  };
  const isFirst = isNew === isPeerNew ? role === "opener" : isNew;
  const drives =
    own.ready === peer.ready ? terms.below || (!terms.peerBelow && isFirst) : terms.joins;
  return { terms, met: !(missed && peerMissed), drives };
}
