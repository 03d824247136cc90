/** The same work done by us and by our peers, and whether we are where we want to be. */

import type { Aim } from "./aims.ts";
import { type Distribution, distribution, type Unit } from "./figure.ts";
import type { PeerName } from "./peers/peer.ts";

export interface Comparison {
  readonly network: string;
  readonly work: string;
  readonly unit: Unit;
  readonly ours: Distribution;
  /** Each with the ratio of our median to theirs. */
  readonly theirs: readonly (Distribution & { readonly name: PeerName; readonly ratio: number })[];
  readonly aim: Aim | null;
  /** null without an aim, or without the peer that it is measured by. */
  readonly isReached: boolean | null;
}

/** By whose it is. */
export type Samples = ReadonlyMap<"ours" | PeerName, readonly number[]>;

export interface Work {
  readonly network: string;
  readonly work: string;
  readonly unit: Unit;
}

export function compare(work: Work, samples: Samples, aim: Aim | null): Comparison {
  const ours = distribution(samples.get("ours") ?? []);
  const theirs = [...samples].flatMap(([name, values]) => {
    if (name === "ours") return [];
    const their = distribution(values);
    return [{ ...their, name, ratio: ours.p50 / their.p50 }];
  });
  const compared = { ...work, ours, theirs, aim };
  return { ...compared, isReached: isReached(compared) };
}

function isReached({ aim, ours, theirs, unit }: Omit<Comparison, "isReached">): boolean | null {
  if (aim === null) return null;
  if (aim.kind === "ratio") {
    const their = theirs.find(({ name }) => name === aim.to);
    if (their === undefined) return null;
    return isHighGood(unit) ? their.ratio >= aim.p50 : their.ratio <= aim.p50;
  }
  if (isHighGood(unit)) return ours.p50 >= aim.p50;
  const { p50, p95 = Number.POSITIVE_INFINITY, max = Number.POSITIVE_INFINITY } = aim;
  return ours.p50 <= p50 && ours.p95 <= p95 && ours.max <= max;
}

function isHighGood(unit: Unit): boolean {
  return unit === "per s";
}
