/** Majorities. Pure arithmetic over votes and numbers: knows no log and no role (Raft §5.2, §5.3). */

import type { ServerId } from "./types.ts";

export function majorityOf(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}

/**
 * The highest value that a majority has reached: of match indexes, what is stored on a majority; of
 * times, when a majority was last heard. `-Infinity` without voters, so nothing is ever reached.
 */
export function quorumValue(valuePerVoter: readonly number[]): number {
  const majority = majorityOf(valuePerVoter.length);
  let highest = Number.NEGATIVE_INFINITY;
  for (const value of valuePerVoter) {
    if (value <= highest) continue;
    let reached = 0;
    for (const other of valuePerVoter) if (other >= value) reached++;
    if (reached >= majority) highest = value;
  }
  return highest;
}

export type VoteResult = "won" | "lost" | "pending";

/** Where a ballot stands. `lost` once a majority can no longer be had. */
export function voteResult(
  voters: readonly ServerId[],
  granted: ReadonlySet<ServerId>,
  refused: ReadonlySet<ServerId>,
): VoteResult {
  const needed = majorityOf(voters.length);
  const yes = voters.filter((id) => granted.has(id)).length;
  const no = voters.filter((id) => refused.has(id)).length;
  if (voters.length > 0 && yes >= needed) return "won";
  return voters.length - no < needed ? "lost" : "pending";
}
