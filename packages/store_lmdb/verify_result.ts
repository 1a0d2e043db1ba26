/** Where a slice of {@linkcode LmdbEngine.verify} ended. */
export interface VerifyPosition {
  readonly step: number;
  readonly row: Buffer | undefined;
}

/** What {@linkcode LmdbEngine.verify} found. */
export interface VerifyResult {
  /** Where the next slice begins; `undefined` after the last. */
  readonly next: VerifyPosition | undefined;
  readonly checked: number;
  readonly repaired: number;

  /** Keys whose records cannot be read: reading one of them marks it. */
  readonly damaged: readonly string[];
}
