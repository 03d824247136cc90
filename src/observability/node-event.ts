/** What happened in the node outside the Raft core that people or metrics want to hear of. */

export interface BlockFacts {
  readonly height: number;
  readonly hash: Uint8Array;
  /** The block's timestamp: Unix time in nanoseconds. */
  readonly timeNs: bigint;
  readonly txCount: number;
  readonly sizeBytes: number;
  /** The Raft term of its log entry. */
  readonly term: number;
}

/** What the node itself is doing: `src/sequencer/state.ts`. */
export const sequencerStates = [
  "recovering",
  "following",
  "catchingUp",
  "producing",
  "draining",
] as const;

export type SequencerStateName = (typeof sequencerStates)[number];

export type NodeEvent =
  /** This node led, built the block, and it is committed, executed and stored. */
  | { readonly kind: "blockProduced"; readonly block: BlockFacts }
  | {
      readonly kind: "blockApplied";
      readonly block: BlockFacts;
      readonly source: "raft" | "p2p";
      /** Nothing committed is left to apply: the block has just been made, and is not history. */
      readonly isLive: boolean;
    }
  /** A committed block failed the check, here as on every node. */
  | {
      readonly kind: "blockRefused";
      readonly height: number;
      readonly hash: Uint8Array;
      readonly raftIndex: number;
      readonly reason: string;
    }
  | {
      readonly kind: "stateChanged";
      readonly from: SequencerStateName;
      readonly to: SequencerStateName;
      readonly reason: string;
    }
  | { readonly kind: "readinessChanged"; readonly isReady: boolean; readonly reason: string }
  /** Told every few seconds while it lasts, not for every block. */
  | {
      readonly kind: "backfillProgress";
      /** `headers` are proven downward from the committed block, `blocks` applied upward to it. */
      readonly phase: "headers" | "blocks";
      readonly height: number;
      readonly remaining: number;
      readonly blocksPerSecond: number;
      readonly etaSeconds: number;
    }
  /** Nobody serves what is missing. Told every few seconds while it lasts. */
  | {
      readonly kind: "backfillWaiting";
      readonly fromHeight: number;
      readonly toHeight: number;
      readonly reason: string;
      /** The oldest block that some peer serves. */
      readonly oldest: { readonly height: number; readonly peerId: string } | null;
    }
  /** The way to a committed block that is above what this node has, and not in the log. */
  | { readonly kind: "backfillBegan"; readonly fromHeight: number; readonly toHeight: number }
  /** The executor lacks blocks that are stored. Told every few seconds while it gets them. */
  | { readonly kind: "replayProgress"; readonly height: number; readonly remaining: number }
  | {
      readonly kind: "replayEnded";
      readonly height: number;
      readonly blocks: number;
      readonly seconds: number;
    }
  /** All blocks up to `height` are here. */
  | {
      readonly kind: "backfillEnded";
      readonly height: number;
      readonly blocks: number;
      readonly seconds: number;
    }
  /** Old blocks were removed; `earliest` is the oldest that is left. */
  | {
      readonly kind: "blocksPruned";
      readonly removed: number;
      readonly earliest: number;
      readonly latest: number;
    }
  /** This node had accepted it, and no block can take it any more. */
  | { readonly kind: "txDropped"; readonly txId: Uint8Array; readonly reason: string }
  /** The leader does not take the transactions of this node's clients; they are offered again. */
  | { readonly kind: "offerRefused"; readonly leaderId: string; readonly reason: string }
  /** A block that this node has built as the leader does not get into its log for now. */
  | { readonly kind: "blockNotTaken"; readonly height: number; readonly reason: string }
  /** This node leads, and the chain has not begun. */
  | { readonly kind: "waitsForGenesis"; readonly untilMs: number }
  /** The disk of the blocks takes too long for a write to lead with: an average, or the one under way (P5). */
  | { readonly kind: "dataDiskSlow"; readonly takesMs: number; readonly limitMs: number }
  | { readonly kind: "dataDiskWell" }
  | { readonly kind: "blockDamaged"; readonly height: number; readonly reason: string }
  /** It was fetched again. */
  | { readonly kind: "blockRepaired"; readonly height: number }
  | { readonly kind: "badPeer"; readonly peerId: string; readonly reason: string }
  | { readonly kind: "executionFailed"; readonly height: number; readonly error: Error }
  | { readonly kind: "executionRecovered"; readonly height: number; readonly downMs: number }
  | { readonly kind: "peerConnected"; readonly peerId: string; readonly address: string }
  | { readonly kind: "peerDisconnected"; readonly peerId: string; readonly reason: string }
  /** Somebody knocked at the Raft port who may not, or who spoke no Raft. `cause` is one of few words. */
  | {
      readonly kind: "connectionRefused";
      readonly address: string;
      readonly cause: "stranger" | "garbage" | "timeout" | "overload";
      readonly reason: string;
    };
