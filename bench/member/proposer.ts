/** Proposes entries of one size, a number of them at a time, and times each from the call to its answer. */

import type { Consensus } from "../../src/consensus/consensus.ts";
import { monotonicMs } from "../../src/consensus/shared-lease.ts";
import type { Term } from "../../src/raft/types.ts";
import type { Load, LoadResult } from "./protocol.ts";

/** A block is one entry here, and needs no other. Throws if one is not committed: a benchmark that loses its leader has measured something else. */
export async function runLoad(consensus: Consensus, term: Term, load: Load): Promise<LoadResult> {
  const data = new Uint8Array(load.sizeBytes).fill(7);
  const latenciesMs: number[] = [];
  const startedMs = monotonicMs();
  const endMs = startedMs + load.seconds * 1000;
  let proposed = 0;
  const lane = async (): Promise<void> => {
    while (proposed < load.commitsMax && monotonicMs() < endMs) {
      proposed++;
      const proposedMs = monotonicMs();
      const outcome = await consensus.propose(term, data);
      if (outcome.kind !== "committed") throw new Error(`a proposal was ${outcome.kind}`);
      latenciesMs.push(monotonicMs() - proposedMs);
    }
  };
  await Promise.all(Array.from({ length: load.inFlight }, lane));
  return { elapsedMs: monotonicMs() - startedMs, latenciesMs };
}
