import { expect } from "chai";
import { describe, it } from "mocha";
import { EffectLog } from "./_effect_log.ts";

const entry = (key: string) => ({ key, value: new Uint8Array(), version: { time: 1, node: "a" } });

describe("EffectLog", () => {
  it("gives what an action emits in order, and one mark for all that wait for the commit", () => {
    const log = new EffectLog();
    const told: string[] = [];
    const effects = log.run(() => {
      log.emit({ type: "pause", stream: 1 });
      log.onCommitted((now) => told.push(`first at ${now}`));
      log.emit({ type: "resume", stream: 1 });
      log.onCommitted((now) => told.push(`second at ${now}`));
    });
    expect(effects.map(({ type }) => type)).to.deep.equal(["pause", "resume", "commit"]);
    expect(log.run(() => undefined)).to.deep.equal([]);
    const [, , commit] = effects;
    log.handleCommitted(commit?.type === "commit" ? commit.mark : NaN, 5);
    log.handleCommitted(1000, 6);
    expect(told).to.deep.equal(["first at 5", "second at 5"]);
  });

  it("makes one of all that one input sets aside for one peer: the host syncs a file for each", () => {
    const log = new EffectLog();
    const aside = (peer: string, ...keys: string[]): void =>
      log.emit({ type: "set-aside", peer, entries: keys.map(entry) });
    const keysOf = (action: () => void): unknown[] =>
      log
        .run(action)
        .map((effect) =>
          effect.type === "set-aside" ? effect.entries.map(({ key }) => key) : effect.type,
        );
    const first = keysOf(() => {
      aside("p", "a");
      log.emit({ type: "pause", stream: 1 });
      aside("q", "b");
      aside("p", "c", "d");
    });
    expect(first).to.deep.equal([["a", "c", "d"], "pause", ["b"]]);
    expect(keysOf(() => aside("p", "e"))).to.deep.equal([["e"]]);
  });
});
