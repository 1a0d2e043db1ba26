/** Plain counters of a {@linkcode Replicator}, rising from 0 at its start, and a few gauges. */
export interface ReplicationMetrics {
  /** Packets of rumors sent, counted once for each receiver. */
  rumorPackets: number;
  /** Entries in them, likewise. */
  rumorEntries: number;
  rumorBytes: number;
  /** Entries that came as rumors: new, already known, refused. */
  rumorsApplied: number;
  rumorsSuperseded: number;
  rumorsRefused: number;
  /** Rumors dropped because they were at or below the horizon for a key that is not held (rule 1). */
  rumorsBelowHorizon: number;
  /** New entries that were not passed on, because too many came (`passOnEntries`). */
  rumorsNotPassedOn: number;
  /** Entries that did not fit into the outbox and were left to the exchange. */
  outboxDropped: number;
  outboxEntries: number;
  outboxBytes: number;

  exchangesOpened: number;
  exchangesServed: number;
  exchangesComplete: number;
  exchangesIncomplete: number;
  exchangesBusy: number;
  exchangeEntriesSent: number;
  exchangeEntriesReceived: number;
  exchangeBytesSent: number;
  exchangeBytesReceived: number;
  /** Frames held back because the event loop was late. */
  exchangeThrottled: number;
  /** Pings whose digest was equal to ours: each is a complete exchange. */
  digestsEqual: number;
  digestsDifferent: number;
  /** Of those that differed: what one side had just now, the other had a moment ago. No exchange for that. */
  digestsFollowing: number;
  /** Peers cut off because of what they sent. */
  misbehaved: number;

  /** Entries whose stamps were too far ahead (rule 8); by the node that made them below. */
  skewRefused: number;
  /** Entries that wait for their time. */
  waitingEntries: number;
  /** Entries that found the waiting buffer full. */
  waitingDropped: number;
  restamped: number;
  /** Live entries written to the set-aside file (rule 1). */
  setAside: number;
  /** Deletes of before this node was ready that stay until everybody has heard it (rule 1). */
  retained: number;
  /** Entries with a content hash that does not fit. */
  hashRefused: number;

  receiptsOpen: number;
  receiptsRefused: number;
  pushesSent: number;
  pushesServed: number;
  pushesDropped: number;
  /** Bursts over the peer streams, and entries in them; counted for each peer. */
  bulkPushes: number;
  bulkEntries: number;
  /** Bytes of what was sent over the push streams, about. */
  pushBytesSent: number;

  reaped: number;
  forgottenMembers: number;
}

/** All counters at 0. */
export function createMetrics(): ReplicationMetrics {
  return {
    rumorPackets: 0,
    rumorEntries: 0,
    rumorBytes: 0,
    rumorsApplied: 0,
    rumorsSuperseded: 0,
    rumorsRefused: 0,
    rumorsBelowHorizon: 0,
    rumorsNotPassedOn: 0,
    outboxDropped: 0,
    outboxEntries: 0,
    outboxBytes: 0,
    exchangesOpened: 0,
    exchangesServed: 0,
    exchangesComplete: 0,
    exchangesIncomplete: 0,
    exchangesBusy: 0,
    exchangeEntriesSent: 0,
    exchangeEntriesReceived: 0,
    exchangeBytesSent: 0,
    exchangeBytesReceived: 0,
    exchangeThrottled: 0,
    digestsEqual: 0,
    digestsDifferent: 0,
    digestsFollowing: 0,
    misbehaved: 0,
    skewRefused: 0,
    waitingEntries: 0,
    waitingDropped: 0,
    restamped: 0,
    setAside: 0,
    retained: 0,
    hashRefused: 0,
    receiptsOpen: 0,
    receiptsRefused: 0,
    pushesSent: 0,
    pushesServed: 0,
    pushesDropped: 0,
    bulkPushes: 0,
    bulkEntries: 0,
    pushBytesSent: 0,
    reaped: 0,
    forgottenMembers: 0,
  };
}
