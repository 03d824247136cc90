/**
 * What happens on the Raft port that people or metrics want to hear of. Each inbound connection ends
 * with exactly one event, whatever was sent over it. `count` is how often the like has happened since
 * the start, so that a logger may leave out most of a burst and still tell how large it was.
 */

import type { RequestMessage } from "../raft/message.ts";
import type { ServerId } from "../raft/types.ts";

/** What an outbound connection is for; each purpose has one of its own. */
export type Purpose = "heartbeat" | "append" | "vote" | "snapshot" | "extension";

export type TransportEvent =
  | { readonly kind: "listening"; readonly host: string; readonly port: number }
  | {
      readonly kind: "connected";
      readonly peerId: ServerId;
      readonly purpose: Purpose;
      readonly address: string;
    }
  | {
      readonly kind: "disconnected";
      readonly peerId: ServerId;
      readonly purpose: Purpose;
      readonly reason: string;
      readonly count: number;
    }
  /** The next attempt is made with the first message after `retryInMs`. */
  | {
      readonly kind: "dialFailed";
      readonly peerId: ServerId;
      readonly purpose: Purpose;
      readonly address: string;
      readonly reason: string;
      readonly retryInMs: number;
      readonly count: number;
    }
  /** The peer answered with an error string. */
  | {
      readonly kind: "rpcRefused";
      readonly peerId: ServerId;
      readonly request: RequestMessage["kind"];
      readonly error: string;
      readonly count: number;
    }
  /** A connection closed and the peer's port refuses (P10). */
  | { readonly kind: "processGone"; readonly peerId: ServerId }
  | { readonly kind: "resolveFailed"; readonly host: string; readonly reason: string }
  /** A connection could not be taken, for want of file descriptors above all. */
  | { readonly kind: "acceptFailed"; readonly reason: string }
  /** The first request of an inbound connection named a member. */
  | {
      readonly kind: "inboundConnected";
      readonly peerId: ServerId;
      readonly remoteAddress: string;
    }
  | InboundEnd;

/** How an inbound connection ended. */
export type InboundEnd = {
  readonly remoteAddress: string;
  /** null before the first good request. */
  readonly peerId: ServerId | null;
  readonly reason: string;
  readonly count: number;
} & (
  | { readonly kind: "inboundClosed"; readonly requests: number }
  /** From an address, or in the name of a node, that is not ours. */
  | { readonly kind: "strangerRefused" }
  /** Bytes that are no message. */
  | { readonly kind: "garbageReceived" }
  /** Half a frame, no frame at all, or answers not taken, for too long. */
  | { readonly kind: "stalled" }
  | { readonly kind: "tooManyConnections" }
  /** A well-formed request from a member that cannot be served, such as a snapshot over the limit. */
  | { readonly kind: "requestRefused" }
);
