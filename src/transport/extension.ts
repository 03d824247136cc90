/**
 * Calls between our own nodes over the Raft port, outside Raft: a method's name and opaque bytes.
 * Go peers do not know them. Calls run side by side at the receiver and are answered in order.
 */

import type { ServerId } from "../raft/types.ts";

export interface ExtensionCall {
  readonly method: string;
  readonly body: Uint8Array;
}

/** The status means what caller and method agree on. */
export interface ExtensionAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface ExtensionRequest extends ExtensionCall {
  readonly from: ServerId;
  /** To be called once; nothing happens if the caller has gone. */
  respond(status: number, body: Uint8Array): void;
}
