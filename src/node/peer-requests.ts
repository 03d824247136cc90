/** What other members may ask of this node's main thread, over the Raft port. */

import { sleep } from "../base/task-group.ts";
import type { ClusterStatus } from "../rpc/api.ts";
import { offerMethod } from "../sequencer/tx-batch.ts";
import type { PageAnswer } from "./recent-identities.ts";

export const peerMethods = {
  offerTxs: offerMethod,
  /** The leader's confirmed commit index, in decimal digits. */
  readIndex: "read-index",
  /** `GET /cluster`'s answer, as JSON. */
  cluster: "cluster",
  /** A page of the identities of recent transactions (`recent-identities.ts`). */
  txIds: "recent-tx-ids",
  /** What all members must have in common (`shared-settings.ts`), as JSON. */
  settings: "shared-settings",
} as const;

/**
 * Shorter than the asker waits. Answers leave in the order of their requests: one that never comes, since a new leader
 * cannot commit, would hold up all behind it.
 */
const confirmTimeoutMs = 800;

export interface PeerRequestHandlers {
  takeOffer(body: Uint8Array): number;
  confirmLeadership(): Promise<number | null>;
  clusterView(): Promise<ClusterStatus>;
  /** null while this node does not have the block that it is asked for. */
  txIds(body: Uint8Array): Promise<PageAnswer | null>;
  settings(): object;
}

export interface PeerAnswerMessage {
  readonly status: number;
  readonly body: Uint8Array;
}

export async function answerPeer(
  method: string,
  body: Uint8Array,
  handlers: PeerRequestHandlers,
): Promise<PeerAnswerMessage> {
  switch (method) {
    case peerMethods.offerTxs:
      return text(handlers.takeOffer(body), "");
    case peerMethods.readIndex: {
      const timeout = sleep(confirmTimeoutMs).then(() => null);
      const index = await Promise.race([handlers.confirmLeadership(), timeout]);
      return index === null
        ? text(409, "no majority confirms that this node leads")
        : text(200, String(index));
    }
    case peerMethods.cluster:
      return text(200, JSON.stringify(await handlers.clusterView()));
    case peerMethods.settings:
      return text(200, JSON.stringify(handlers.settings()));
    case peerMethods.txIds: {
      const answer = await handlers.txIds(body);
      return answer === null
        ? text(409, "this node does not have that block")
        : text(answer.status, JSON.stringify(answer.page));
    }
    default:
      return text(404, `this node does not know ${method}: it runs another version`);
  }
}

/** What a leader answers to {@link peerMethods.readIndex}; null if it is no index. */
export function decodeReadIndex(body: Uint8Array): number | null {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1");
  // Strictly: `Number` takes an empty text for 0, and a read would not wait for what was committed.
  const index = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(index) ? index : null;
}

function text(status: number, body: string): PeerAnswerMessage {
  return { status, body: new TextEncoder().encode(body) };
}
