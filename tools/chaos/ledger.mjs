// What the cluster must hold at the end. Each key belongs to one node for the whole run, so its writes
// have an order that no clock decides; the last write wins between nodes is tested by the simulator.
//
// An answer of 200 or 204 is a promise. A cut connection or a 5xx leaves the outcome open: such a write
// may stand or not, and both are right until the next one that was promised.

/** @typedef {{ value: string | undefined }} Outcome undefined = deleted */

export class Ledger {
  /** @type {Map<string, { promised: Outcome, open: Outcome[] }>} */
  #keys = new Map();
  promised = 0;
  open = 0;
  deletes = 0;

  /** @param {string} key @param {string | undefined} value @param {boolean} known */
  record(key, value, known) {
    if (known) {
      this.promised += 1;
      if (value === undefined) this.deletes += 1;
      this.#keys.set(key, { promised: { value }, open: [] });
      return;
    }
    this.open += 1;
    const entry = this.#keys.get(key) ?? { promised: { value: undefined }, open: [] };
    entry.open.push({ value });
    this.#keys.set(key, entry);
  }

  /**
   * Compares one node's contents with what was promised.
   *
   * @param {Map<string, string>} held all live keys of the node
   * @returns {{ lost: string[], back: string[] }} lost writes, and deletes that were undone
   */
  check(held) {
    const lost = [];
    const back = [];
    for (const [key, { promised, open }] of this.#keys) {
      const value = held.get(key);
      if (value === promised.value || open.some((o) => o.value === value)) continue;
      if (promised.value === undefined) back.push(`${key}: deleted, is ${value}`);
      else lost.push(`${key}: promised ${promised.value}, is ${value ?? "absent"}`);
    }
    return { lost, back };
  }
}
