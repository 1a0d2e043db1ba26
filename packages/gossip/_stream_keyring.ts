import { Keyring } from "@dnd/protocol/sealing";
import type { StreamKey, StreamKeys } from "./_stream_handshake.ts";

/** The keys of a node as its streams need them: an id, and a secret that is not the ring key (RULES 13). */
export class StreamKeyring implements StreamKeys {
  #keyring: Keyring | undefined;
  #permissive = false;

  constructor(keys: readonly Uint8Array[], permissive: boolean) {
    this.set(keys, permissive);
  }

  /** The key that this node opens streams with; undefined = none, they are plain. */
  get first(): StreamKey | undefined {
    return this.#keyring === undefined ? undefined : this.find(this.#keyring.sealingId);
  }

  get configured(): boolean {
    return this.#keyring !== undefined;
  }

  get required(): boolean {
    return this.configured && !this.#permissive;
  }

  /** Ids of all keys, the sealing one first. */
  get ids(): readonly string[] {
    return this.#keyring?.ids ?? [];
  }

  set(keys: readonly Uint8Array[], permissive: boolean): void {
    this.#permissive = permissive;
    this.#keyring = keys.length === 0 ? undefined : new Keyring(keys);
  }

  find(id: string): StreamKey | undefined {
    const psk = this.#keyring?.streamPsk(id);
    return psk === undefined ? undefined : { id, psk };
  }
}
