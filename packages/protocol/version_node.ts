import { idBytes, isNodeId } from "./_hex.ts";
import { NODE_ID_BYTES } from "./limits.ts";

/** Bytes of the text of an id that is not the id of a dnd node. */
const MAX_TEXT_BYTES = 32;

/** Bytes that the node of a version takes on the wire at most. */
export const MAX_VERSION_NODE_BYTES: number = NODE_ID_BYTES + MAX_TEXT_BYTES;

const MAP_ID = /^[a-z0-9]{1,32}$/;

/**
 * The bytes of the node of a version on the wire, without tag and length.
 *
 * The id of a dnd node takes 16. A map of its own may have any id of `[a-z0-9]{1,32}`, and its entries
 * may be imported with their versions; such an id is 16 zero bytes and then its text.
 *
 * @param node as in `WireEntry.version`
 */
export function versionNodeBytes(node: string): number {
  return isNodeId(node) ? NODE_ID_BYTES : NODE_ID_BYTES + node.length;
}

/**
 * The node of a version as it goes over the wire. The bytes are shared: they must not be written into.
 *
 * @throws {TypeError} if it is no id
 */
export function encodeVersionNode(what: string, node: string): Uint8Array {
  if (isNodeId(node)) return idBytes(what, node, NODE_ID_BYTES);
  if (!MAP_ID.test(node)) {
    throw new TypeError(
      `${what} must be 1 to 32 of a to z and 0 to 9, not ${JSON.stringify(node)}`,
    );
  }
  const bytes = new Uint8Array(NODE_ID_BYTES + node.length);
  for (let i = 0; i < node.length; i++) bytes[NODE_ID_BYTES + i] = node.charCodeAt(i);
  return bytes;
}

/**
 * The text behind the 16 zero bytes.
 *
 * @returns `undefined` if it is none, or that of a dnd node, which has a form of its own
 */
export function readVersionNodeText(bytes: Uint8Array): string | undefined {
  if (bytes.length <= NODE_ID_BYTES || bytes.length > MAX_VERSION_NODE_BYTES) return undefined;
  let text = "";
  for (const [i, byte] of bytes.entries()) {
    if (i >= NODE_ID_BYTES) text += String.fromCharCode(byte);
    else if (byte !== 0) return undefined;
  }
  return MAP_ID.test(text) && !isNodeId(text) ? text : undefined;
}
