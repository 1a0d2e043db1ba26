/** Half of a pair of UTF-16 code units, which no UTF-8 says: encoded, it would come back as something else. */
export const LONE_SURROGATE: RegExp = /[\ud800-\udfff]/u;
