/**
 * The way down: one proven hash at the top of each segment between the committed block and our head.
 * Headers are fetched for it and let go again, so a gap of a million blocks costs some 500 hashes; on
 * the way up each segment is fetched once more, checked against its hash, and kept while it is needed.
 *
 *   our head     anchor            anchor           target, known from Raft
 *      |---------->|-----------------|-----------------|
 *        segment       segment           segment            trust: <----   blocks: ---->
 *
 * The lowest segment needs no way down: its topmost hash is all there is to prove. A gap of one segment
 * is fetched once.
 */

import { assert, defined } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import type { Height } from "../block/types.ts";
import type { Range } from "./exchange.ts";
import type { Anchor } from "./header-chain.ts";
import type { Progress } from "./progress.ts";

/** Where the segment that ends at `height` begins, less one: segments end at multiples of `length`. */
export function nextAnchorHeight(height: Height, length: number): Height {
  return Math.floor((height - 1) / length) * length;
}

/** The next segment to prove on the way down; null if the lowest anchor's segment reaches `bottom`. */
export function nextToProve(
  anchors: readonly Anchor[],
  { bottom, length, saved }: { bottom: Height; length: number; saved: Progress | null },
): Range | null {
  const to = lowest(anchors).height;
  const aligned = nextAnchorHeight(to, length);
  if (aligned < bottom) return null;
  // A backfill before this one had an older target: there its hashes can be taken over.
  const savedTop = saved?.anchors[0]?.height ?? 0;
  const meetsSaved = savedTop < to && savedTop > aligned;
  return { from: (meetsSaved ? savedTop : aligned) + 1, to };
}

/** `anchors` with what `saved` proves below the lowest of them: all of it if it hangs on the same hash. */
export function adopt(
  anchors: readonly Anchor[],
  saved: Progress | null,
  bottom: Height,
): readonly Anchor[] {
  const [top, ...below] = saved?.anchors ?? [];
  const { height, hash } = lowest(anchors);
  if (top === undefined || top.height !== height || !equalBytes(top.hash, hash)) return anchors;
  return [...anchors, ...below.filter((anchor) => anchor.height >= bottom)];
}

/** A segment on the way up. */
export interface Segment {
  readonly range: Range;
  readonly topHash: Uint8Array;
}

/** The segments from `bottom` to the target, in ascending height. */
export function segmentsUpward(anchors: readonly Anchor[], bottom: Height): readonly Segment[] {
  let from = bottom;
  return anchors.toReversed().map(({ height, hash }) => {
    assert(height >= from, "anchors descend to the bottom", { height, from });
    const segment = { range: { from, to: height }, topHash: hash };
    from = height + 1;
    return segment;
  });
}

function lowest(anchors: readonly Anchor[]): Anchor {
  return defined(anchors.at(-1), "the target is an anchor");
}
