/** What a client asks for with a transaction, and what becomes of it: the words of HTTP and of the sequencer. */

import type { TxLocation } from "./types.ts";

export interface SubmitRequest {
  readonly tx: Uint8Array;
  /** The caller's `Idempotency-Key`; null for a fresh identity. */
  readonly idempotencyKey: string | null;
  readonly wait: "commit" | "accept";
  readonly signal: AbortSignal;
}

export type SubmitOutcome =
  | { readonly kind: "committed"; readonly txId: Uint8Array; readonly location: TxLocation }
  /** Durable on this node, which offers it to whoever leads until it is committed. */
  | { readonly kind: "accepted"; readonly txId: Uint8Array }
  /** A limit was hit; nothing was kept. */
  | { readonly kind: "queueFull"; readonly retryAfterMs: number }
  | { readonly kind: "tooLarge"; readonly maxBytes: number }
  /** Malformed for the executor (for `kv`: not `key=value`). */
  | { readonly kind: "invalid"; readonly reason: string }
  /**
   * No leader, or no commit, within the configured wait; `mayCommit` if a leader was offered it, or an execution client has
   * it. `executesOnce`: however often it is sent, by its key or by what it is.
   */
  | {
      readonly kind: "unavailable";
      readonly reason: string;
      readonly txId: Uint8Array;
      readonly mayCommit: boolean;
      readonly executesOnce: boolean;
    };
