import type { MapState } from "@dnd/store";
import { CHECK_BYTES, isIntact, seal } from "./_rows.ts";

/** The figures that are written with every commit. */
export interface StoredState {
  readonly map: MapState;

  /** The durable clock ceiling, as far as commits have lifted it. */
  readonly ceiling: number;

  /** Rises when the ceiling is lowered; a ceiling file of an older epoch does not count. */
  readonly epoch: number;

  /** The number of the transaction that wrote this: another one in the meta page is damage. */
  readonly transaction: number;

  /** Keys that are marked as damaged. */
  readonly damaged: number;

  /** How many rows the journal has. In layout 1: up to which counter the index of heads was complete. */
  readonly journalRows: number;

  /** The root of the digest: what the rows of leaf sums must come to. */
  readonly rootHigh: number;
  readonly rootLow: number;
}

const FIELDS = 15;

/** Encodes the state row. */
export function encodeState(row: Uint8Array, state: StoredState): Buffer {
  const { map } = state;
  const numbers = [
    map.counter,
    map.changesFloor,
    map.horizon,
    map.clock,
    map.live,
    map.tombstones,
    map.expired,
    map.valueBytes,
    state.ceiling,
    state.epoch,
    state.transaction,
    state.damaged,
    state.rootHigh,
    state.rootLow,
    state.journalRows,
  ];
  const value = Buffer.allocUnsafe(CHECK_BYTES + 8 * FIELDS);
  numbers.forEach((number, i) => value.writeDoubleLE(number, CHECK_BYTES + 8 * i));
  return seal(row, value);
}

/** Decodes the state row; `undefined` if it is damaged. */
export function decodeState(row: Uint8Array, value: Buffer): StoredState | undefined {
  if (value.length !== CHECK_BYTES + 8 * FIELDS || !isIntact(row, value)) return undefined;
  const at = (i: number): number => value.readDoubleLE(CHECK_BYTES + 8 * i);
  return {
    map: {
      counter: at(0),
      changesFloor: at(1),
      horizon: at(2),
      clock: at(3),
      live: at(4),
      tombstones: at(5),
      expired: at(6),
      valueBytes: at(7),
    },
    ceiling: at(8),
    epoch: at(9),
    transaction: at(10),
    damaged: at(11),
    rootHigh: at(12),
    rootLow: at(13),
    journalRows: at(14),
  };
}

/** The state of a store that holds nothing. */
export const EMPTY_STATE: MapState = {
  counter: 0,
  changesFloor: 0,
  horizon: 0,
  clock: 0,
  live: 0,
  tombstones: 0,
  expired: 0,
  valueBytes: 0,
};
