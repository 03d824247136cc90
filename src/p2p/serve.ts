/** What a request is answered with, as go-header's server would. Pure but for reading blocks. */

import { exchangeMessageMaxBytes } from "../block/limits.ts";
import {
  encodeHeaderResponse,
  encodeP2PData,
  encodeP2PSignedHeader,
  type HeaderRequest,
} from "../block/p2p-codec.ts";
import type { BlockReader, Height, StoredBlock } from "../block/types.ts";
import { rangeMax } from "./limits.ts";
import type { ItemKind } from "./protocol.ts";

export type Plan =
  /** One response for each height. */
  | { readonly kind: "items"; readonly from: Height; readonly to: Height }
  /** One response without a body. */
  | { readonly kind: "notFound" }
  /** No response: the stream is reset. */
  | { readonly kind: "reset"; readonly reason: string };

const notFound: Plan = { kind: "notFound" };

export function planAnswer(request: HeaderRequest, blocks: BlockReader): Plan {
  const { amount } = request;
  if (amount === 0 || amount > rangeMax) {
    return reset(`it asked for ${amount} items; 1 to ${rangeMax} are served`);
  }
  const { earliestHeight, head } = blocks;
  if (earliestHeight === null) return reset("it asked a node that has no blocks yet");
  if (request.kind === "hash") {
    const height = blocks.heightOf(request.hash);
    return height === null ? notFound : { kind: "items", from: height, to: height };
  }
  const { origin } = request;
  if (origin === 0) return { kind: "items", from: head.height, to: head.height };
  if (origin < earliestHeight || origin > head.height) return notFound;
  return { kind: "items", from: origin, to: Math.min(origin + amount - 1, head.height) };
}

function reset(reason: string): Plan {
  return { kind: "reset", reason };
}

/** The response that carries one item; null if no peer would take it, for its size. */
export function encodeItem(kind: ItemKind, { header, data }: StoredBlock): Uint8Array | null {
  const daHeightHint = 0;
  const body =
    kind === "headers"
      ? encodeP2PSignedHeader({ signed: header, daHeightHint })
      : encodeP2PData({ data, daHeightHint });
  const response = encodeHeaderResponse({ kind: "ok", body });
  return response.length > exchangeMessageMaxBytes ? null : response;
}
