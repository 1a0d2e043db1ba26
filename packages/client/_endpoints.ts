import { isBadPort } from "./_bad_ports.ts";
import { DndError } from "./dnd_error.ts";

/** A node's HTTP address, and how it has been doing. */
export interface Endpoint {
  /** Base URL without a slash at its end. */
  readonly base: string;
  /** Failures since the last answer. */
  failures: number;
  /** Not tried before this time if another one is there, in milliseconds of the caller's clock. */
  retryAt: number;
}

/** First and longest pause of an endpoint that failed. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * The base URLs of a client. One is preferred and stays so while it answers, which is what lets a
 * client read its own writes; an endpoint that fails is passed over for a while, twice as long each
 * time.
 */
export class Endpoints {
  readonly #list: Endpoint[];
  #preferred = 0;

  /**
   * @param urls base URLs, at least one
   * @param checkPorts whether ports that `fetch` refuses are an error
   * @throws {TypeError} for a URL that is none; {DndError} `port-blocked`
   */
  constructor(urls: readonly string[], checkPorts: boolean) {
    if (urls.length === 0) throw new TypeError("Cannot create a client: urls is empty");
    this.#list = urls.map((url) => ({ base: baseOf(url, checkPorts), failures: 0, retryAt: 0 }));
  }

  /** How many there are. */
  get size(): number {
    return this.#list.length;
  }

  /** All base URLs, for messages. */
  get text(): string {
    return this.#list.map((endpoint) => endpoint.base).join(", ");
  }

  /**
   * The one to try next.
   *
   * @param tried those that this call has tried; undefined is returned when that is all
   * @param now milliseconds
   */
  pick(tried: ReadonlySet<Endpoint>, now: number): Endpoint | undefined {
    let best: Endpoint | undefined;
    for (let i = 0; i < this.#list.length; i += 1) {
      const endpoint = this.#list[(this.#preferred + i) % this.#list.length];
      if (endpoint === undefined || tried.has(endpoint)) continue;
      if (endpoint.retryAt <= now) return endpoint;
      if (best === undefined || endpoint.retryAt < best.retryAt) best = endpoint;
    }
    return best;
  }

  /** Notes that it answered. */
  answered(endpoint: Endpoint): void {
    endpoint.failures = 0;
    endpoint.retryAt = 0;
    this.#preferred = this.#list.indexOf(endpoint);
  }

  /** Notes that it did not answer, or that it cannot serve. */
  failed(endpoint: Endpoint, now: number): void {
    endpoint.failures += 1;
    const pause = FIRST_PAUSE_MS * 2 ** Math.min(endpoint.failures - 1, 10);
    endpoint.retryAt = now + Math.min(pause, LONGEST_PAUSE_MS);
  }
}

function baseOf(text: string, checkPorts: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) {
    throw new TypeError(
      `Cannot create a client: ${JSON.stringify(text)} is no URL; write http://host:port`,
    );
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TypeError(`Cannot create a client: ${text} is neither http: nor https:`);
  }
  if (url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "") {
    throw new TypeError(
      `Cannot create a client: ${url.origin} must come without query, fragment, user and password; use token`,
    );
  }
  const port = Number(url.port);
  if (url.port === "0") throw new TypeError(`Cannot create a client: ${text} has no port to call`);
  if (checkPorts && isBadPort(port)) {
    const mend =
      port === 6000
        ? `use the node's web port, ${url.protocol}//${url.hostname}:6080 by default`
        : "start the node with another --server-port or --web-port";
    throw new DndError(
      "port-blocked",
      `Cannot use ${url.origin}: fetch refuses port ${port} as unsafe; ${mend}`,
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}
