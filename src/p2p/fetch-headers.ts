/** The headers of one segment of the chain, proven from its topmost hash downward. */

import { setImmediate } from "node:timers/promises";
import { defined } from "../base/assert.ts";
import type { SignedHeader } from "../block/types.ts";
import type { Exchange, Range } from "./exchange.ts";
import { fetchRange, type ItemSource } from "./fetcher.ts";
import {
  brokenLink,
  type FetchedHeader,
  findLie,
  type Lie,
  parentHashOf,
  withHash,
} from "./header-chain.ts";
import { inOrder } from "./in-order.ts";
import { rangeMax } from "./limits.ts";
import { Pace } from "./motion.ts";
import type { PeerPool } from "./peer-pool.ts";

/** Ranges of headers asked for and not yet checked. Some 20 KB each. */
const rangesAhead = 16;

export interface HeaderFetch {
  readonly segment: Range;
  readonly topHash: Uint8Array;
  /** What is wrong with headers that are on the chain: their signatures. */
  readonly findForgery: (headers: readonly FetchedHeader[]) => Lie | null;
}

export function headerSource(exchange: Exchange): ItemSource<SignedHeader, FetchedHeader> {
  return {
    ask: (peerId, range, signal, onReceived) => exchange.headers(peerId, range, signal, onReceived),
    pace: new Pace(),
    take: withHash,
    refuse: brokenLink,
    isEnough: () => false,
  };
}

/** Every header of the segment, in ascending height. Rejects with the signal's reason, or P2pError. */
export async function fetchHeaders(
  { segment, topHash, findForgery }: HeaderFetch,
  source: ItemSource<SignedHeader, FetchedHeader>,
  pool: PeerPool,
  signal: AbortSignal,
): Promise<readonly FetchedHeader[]> {
  const proven: (readonly FetchedHeader[])[] = [];
  let expected = topHash;
  const ranges = inOrder(downward(segment), {
    ahead: rangesAhead,
    signal,
    run: async (range, either) => ({
      range,
      fetched: await fetchRange(source, range, pool, either),
    }),
  });
  for await (const { range, fetched } of ranges) {
    let headers = fetched;
    const find = () => findLie(headers, expected) ?? findForgery(headers);
    for (let lie = find(); lie !== null; lie = find()) {
      pool.drop(lie.peerId, lie.reason);
      headers = await fetchRange(source, range, pool, signal);
    }
    expected = parentHashOf(defined(headers[0], "a range has a header"));
    proven.push(headers);
    // Signatures take milliseconds a range: heartbeats and clients come in between (P13).
    await setImmediate();
  }
  return proven.toReversed().flat();
}

/** The segment's ranges, the topmost first. */
function* downward({ from, to }: Range): Generator<Range> {
  for (let top = to; top >= from; top -= rangeMax) {
    yield { from: Math.max(from, top - rangeMax + 1), to: top };
  }
}
