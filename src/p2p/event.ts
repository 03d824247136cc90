/** What happens between peers that people or metrics want to hear of. Repetition is the logger's business. */

import type { Height } from "../block/types.ts";

/** The oldest block that some connected peer still serves. */
export interface OldestAvailable {
  readonly height: Height;
  readonly peerId: string;
}

export type P2pEvent =
  | { readonly kind: "listening"; readonly addresses: readonly string[] }
  | {
      readonly kind: "connected";
      readonly peerId: string;
      readonly address: string;
      readonly direction: "inbound" | "outbound";
    }
  | { readonly kind: "disconnected"; readonly peerId: string; readonly address: string }
  | {
      readonly kind: "dialFailed";
      readonly peerId: string;
      readonly address: string;
      readonly reason: string;
      readonly retryInMs: number;
    }
  /** Somebody who is not configured, or is blocked. */
  | {
      readonly kind: "refused";
      readonly peerId: string;
      readonly address: string;
      readonly reason: string;
    }
  /** A peer asked for what it may not, or for more than it may at once. */
  | { readonly kind: "requestRefused"; readonly peerId: string; readonly reason: string }
  /** A request could not be answered for a reason that lies here. */
  | { readonly kind: "serveFailed"; readonly peerId: string; readonly error: unknown }
  /** It served what no honest peer serves; nothing more is asked of it until a restart. */
  | { readonly kind: "badPeer"; readonly peerId: string; readonly reason: string }
  /** At most every two seconds. `headers` go down from the committed block, `blocks` up to it. */
  | {
      readonly kind: "progress";
      readonly phase: "headers" | "blocks";
      readonly height: Height;
      readonly remaining: number;
      readonly blocksPerSecond: number;
      readonly etaSeconds: number;
    }
  /** Nobody serves what is missing. At most every two seconds while it lasts. */
  | {
      readonly kind: "waiting";
      readonly fromHeight: Height;
      readonly toHeight: Height;
      readonly reason: string;
      readonly oldest: OldestAvailable | null;
    };

export type OnP2pEvent = (event: P2pEvent) => void;
