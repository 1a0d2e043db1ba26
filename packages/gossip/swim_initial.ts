import {
  type Member,
  MEMBER_VOLATILE,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
} from "@dnd/protocol";
import type { SwimOptions } from "./swim_options.ts";
import type { SwimCounters } from "./swim_types.ts";

/** What a node says of itself at its start. */
export function selfMember(options: SwimOptions): Member {
  return {
    id: options.id,
    generation: options.generation,
    incarnation: 1,
    state: "alive",
    address: options.address,
    name: options.name ?? "",
    metadata: options.metadata ?? new Uint8Array(0),
    flags: options.volatile === true ? MEMBER_VOLATILE : 0,
    protocolMin: PROTOCOL_VERSION_MIN,
    protocolMax: PROTOCOL_VERSION,
    seen: 0,
    departed: 0,
    accuser: "",
    evidence: 0,
    bootId: options.bootId,
  };
}

/** Nothing happened yet. */
export function newCounters(): SwimCounters {
  return {
    pingsSent: 0,
    acksReceived: 0,
    indirectAcks: 0,
    probesFailed: 0,
    streamProbes: 0,
    suspicionsRaised: 0,
    deathsDeclared: 0,
    refutations: 0,
    lateTimers: 0,
    deafRounds: 0,
    exchangesAsked: 0,
    callsToDead: 0,
    callsToSeeds: 0,
    membersRefused: 0,
    claimsRefused: 0,
    rumorsDropped: 0,
    updatesDropped: 0,
    relaysRefused: 0,
    wrongCluster: 0,
    wrongVersion: 0,
    undirectedDropped: 0,
    unknownSender: 0,
    unexpectedAnswers: 0,
    malformed: 0,
  };
}
