/**
 * Commands that can be told apart. Their bytes are all views of one buffer, so that megabytes cost
 * nothing: what a command is follows from the object, which network and disk hand on uncopied.
 */

import type { Entry } from "../../src/raft/types.ts";

export type CommandId = number;

const buffer = new ArrayBuffer(8 * 1024 * 1024);

export const payloadMaxBytes = buffer.byteLength;

export class Payloads {
  readonly #ids = new WeakMap<Uint8Array, CommandId>();
  #lastId = 0;

  create(sizeBytes: number): { readonly id: CommandId; readonly data: Uint8Array } {
    const data = new Uint8Array(buffer, 0, sizeBytes);
    return { id: this.adopt(data), data };
  }

  /** Makes bytes of somebody else's a command. */
  adopt(data: Uint8Array): CommandId {
    const id = ++this.#lastId;
    this.#ids.set(data, id);
    return id;
  }

  /** null for an entry that is no client's command. */
  commandOf(entry: Entry): CommandId | null {
    return entry.data === null ? null : (this.#ids.get(entry.data) ?? null);
  }
}
