import type { ServerSentEvent } from "./_sse_parser.ts";
import { readItem, readVersion } from "./_wire_value.ts";
import { DndError } from "./dnd_error.ts";
import type { ListItem } from "./key_value_types.ts";
import type { Change } from "./watch.ts";

/**
 * Reads a change out of an event.
 *
 * @returns undefined for an event of a newer node that this version has no name for
 * @throws {DndError} `invalid-response`
 */
export function readChange<T>(event: ServerSentEvent): Change<T> | undefined {
  const { type, data, id } = event;
  switch (type) {
    case "put":
      return { type, id, ...(readItem(parse(data)) as ListItem<T>) };
    case "delete":
    case "expire": {
      const { key, etag } = parse(data);
      return { type, id, key: String(key), ...readVersion(etag) };
    }
    case "reset": {
      const { reason } = parse(data);
      return {
        type,
        id: id === "" ? undefined : id,
        reason: typeof reason === "string" ? reason : "no reason given",
      };
    }
    default:
      return undefined;
  }
}

function parse(data: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null) {
    throw new DndError("invalid-response", "Cannot watch: an event is no JSON object");
  }
  return value as Record<string, unknown>;
}
