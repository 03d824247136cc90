/** What other members may ask of this node's main thread, over the Raft port. */

import type { ClusterStatus } from "../rpc/api.ts";
import { offerMethod } from "../sequencer/tx-batch.ts";

export const peerMethods = {
  offerTxs: offerMethod,
  /** The leader's confirmed commit index, in decimal digits. */
  readIndex: "read-index",
  /** `GET /cluster`'s answer, as JSON. */
  cluster: "cluster",
} as const;

export interface PeerRequestHandlers {
  takeOffer(body: Uint8Array): number;
  confirmLeadership(): Promise<number | null>;
  clusterView(): Promise<ClusterStatus>;
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
      const index = await handlers.confirmLeadership();
      return index === null ? text(409, "this node does not lead") : text(200, String(index));
    }
    case peerMethods.cluster:
      return text(200, JSON.stringify(await handlers.clusterView()));
    default:
      return text(404, `this node does not know ${method}: it runs another version`);
  }
}

function text(status: number, body: string): PeerAnswerMessage {
  return { status, body: new TextEncoder().encode(body) };
}
