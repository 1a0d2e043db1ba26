/**
 * Something that travels as it is, in place of the bytes that it would be encoded to: for long runs, in
 * which encoding and decoding would be most of the work. Whoever sends one answers for three things: the
 * length is that of the bytes, the content is never changed, and all of it could be encoded.
 */
export interface Parcel {
  /** What the receiver gets: the same object. */
  readonly content: object;

  /** Bytes that it would be. */
  readonly length: number;
}
