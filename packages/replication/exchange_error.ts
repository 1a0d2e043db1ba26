/** Why an exchange cannot go on. The stream is closed; the map is as it is. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";

  /**
   * `misbehaved`: the peer did what no peer may; `refused`: what it says is not believed, for a clock is wrong;
   * `storage`: the map refused to store, or what would leave it has nowhere to go.
   */
  readonly code: "misbehaved" | "refused" | "storage";

  constructor(code: ExchangeError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Ends the session unless a claim about the peer holds. */
export function expectPeer(condition: boolean, detail: string): asserts condition {
  if (!condition) throw new ExchangeError("misbehaved", detail);
}
