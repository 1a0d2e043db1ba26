import { versionToEtag, versionToMs } from "@dnd/client";
import type { Entry } from "@dnd/store";
import { z } from "zod";
import { timeText, unknownType, valueText } from "../entry_text.ts";

/** An item of a list, and the data of a `put` event. */
export const itemSchema = z.strictObject({
  key: z.string(),
  etag: z.string(),
  contentType: z.string(),
  size: z.int().nonnegative(),
  modified: z.iso.datetime(),
  expires: z.iso.datetime().optional(),
  encoding: z.enum(["json", "utf8", "base64"]).optional(),
  value: z.unknown().optional(),
});

/** An item as JSON text, on one line. */
export function itemJson(entry: Entry & { readonly size?: number }, withValue: boolean): string {
  const head = JSON.stringify({
    key: entry.key,
    etag: versionToEtag(entry.version),
    contentType: entry.contentType ?? unknownType,
    size: entry.size ?? entry.value.length,
    modified: timeText(versionToMs(entry.version)),
    ...(entry.expiresAt === undefined ? {} : { expires: timeText(entry.expiresAt) }),
  });
  if (!withValue) return head;
  const { encoding, json } = valueText(entry);
  return `${head.slice(0, -1)},"encoding":"${encoding}","value":${json}}`;
}
