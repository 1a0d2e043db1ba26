/** Codes that Node and Bun give to a failure before the first byte of a request was sent. */
const connectCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused",
  "FailedToOpenSocket",
]);

/**
 * Whether a failed `fetch` certainly did not reach a server, so that even a write may be sent again.
 * Browsers do not tell: there the answer is always no.
 *
 * @param error what `fetch` rejected with
 */
export function neverSent(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && connectCodes.has(code)) return true;
    // Deno: "error sending request for url (...): client error (Connect): ..."
    if (at.message.includes("client error (Connect)")) return true;
  }
  return false;
}

/** The most telling message of a failed `fetch`: that of its innermost cause. */
export function failureText(error: unknown): string {
  let text = String(error);
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const { code } = at as { code?: unknown };
    if (at.message !== "") text = at.message;
    else if (typeof code === "string") text = code;
  }
  return text;
}
