import { DndError } from "./dnd_error.ts";

/** Largest answer that is read into memory: a batch of the largest values in base64. */
const MAX_BODY_BYTES = 136 * 1024 * 1024;

/**
 * Reads a body to its end.
 *
 * @throws {DndError} `invalid-response` when it is larger than 64 MiB; whatever `fetch` says when it breaks off
 */
export async function readBytes(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(response.headers.get("content-length") ?? "NaN");
  if (declared <= MAX_BODY_BYTES) return new Uint8Array(await response.arrayBuffer());
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_BODY_BYTES) {
      await reader.cancel();
      throw new DndError(
        "invalid-response",
        `Cannot read the answer of ${response.url}: it is larger than ${MAX_BODY_BYTES} bytes`,
        { status: response.status },
      );
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The same as text in UTF-8. */
export async function readText(response: Response): Promise<string> {
  return new TextDecoder().decode(await readBytes(response));
}

/**
 * Reads a body as JSON: an object.
 *
 * @throws {DndError} `invalid-response` when it is none
 */
export async function readObject(response: Response): Promise<Record<string, unknown>> {
  const text = await readText(response);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalidResponse(response, "it is no JSON object");
}

/** Reads a body to its end only to free the connection. */
export async function drain(response: Response): Promise<void> {
  try {
    await response.arrayBuffer();
  } catch {
    // The status has said everything.
  }
}

/** The error for an answer that no dnd node gives. */
export function invalidResponse(response: Response, why: string): DndError {
  return new DndError("invalid-response", `Cannot use the answer of ${response.url}: ${why}`, {
    status: response.status,
  });
}
