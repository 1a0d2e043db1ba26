/** Options of `createClient()`. */
export interface ClientOptions {
  /**
   * Base URLs of one or more nodes of the same cluster: `http://127.0.0.1:6080`. A path in front of
   * the API is kept. More of them: the client survives more nodes.
   */
  readonly urls: readonly string[];
  /** Bearer token, if the nodes want one, without the word `Bearer`. Default: none. */
  readonly token?: string;
  /**
   * Default of a call's `timeoutMs`, in milliseconds. Default 10,000. What takes long by its nature has a
   * default of its own: `ready()` 30 s, `leave()` 60 s, `backup()` 10 min.
   */
  readonly timeoutMs?: number;
  /**
   * How often all URLs are tried, with a pause in between that doubles from 100 ms to 2 s and follows
   * `Retry-After`, within the time of the call. Default 3. Reads are tried again after any failure,
   * writes only if they were certainly not applied.
   */
  readonly rounds?: number;
  /** In place of the global `fetch`; then blocked ports are its own affair. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}
