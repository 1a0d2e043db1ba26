/** Figures of the whole map after a batch: an engine stores them as they come, and gives them back. */
export interface MapState {
  /** Changes applied so far. */
  counter: number;

  /** The highest counter of an entry that was forgotten: the change log reaches back to here. */
  changesFloor: number;

  /** The horizon of rule 1, a stamp: deletes up to it are forgotten. Only rises. */
  horizon: number;

  /** The highest stamp issued or taken over so far. */
  clock: number;

  /** Entries with a value that has not been found expired. */
  live: number;
  tombstones: number;

  /** Expired entries whose values were dropped. */
  expired: number;

  /** Bytes of the values held. */
  valueBytes: number;
}

/** The figures of a map that holds nothing. */
export function newMapState(): MapState {
  return {
    counter: 0,
    changesFloor: 0,
    horizon: 0,
    clock: 0,
    live: 0,
    tombstones: 0,
    expired: 0,
    valueBytes: 0,
  };
}
