/** What a node does with its Raft role: one pure function from facts to a state. */

export type SequencerState =
  /** Its log may lack what it once promised: it neither votes nor leads (P6). */
  | { readonly kind: "recovering" }
  | { readonly kind: "following" }
  /** Elected, but the blocks before its term are not all applied and executed. */
  | { readonly kind: "catchingUp"; readonly term: number }
  | { readonly kind: "producing"; readonly term: number }
  | { readonly kind: "draining" };

export interface SequencerFacts {
  readonly isRecovering: boolean;
  readonly isDraining: boolean;
  /** The term this node leads, once an entry of that term is committed; null otherwise. */
  readonly leads: { readonly term: number; readonly firstCommitIndex: number } | null;
  readonly appliedIndex: number;
  /** Blocks that are older than the log are not all here: what this node built would fork the chain. */
  readonly lacksBlocks: boolean;
}

export function stateFrom(facts: SequencerFacts): SequencerState {
  if (facts.isDraining) return { kind: "draining" };
  if (facts.isRecovering) return { kind: "recovering" };
  if (facts.leads === null) return { kind: "following" };
  const { term, firstCommitIndex } = facts.leads;
  const isCaughtUp = facts.appliedIndex >= firstCommitIndex && !facts.lacksBlocks;
  return { kind: isCaughtUp ? "producing" : "catchingUp", term };
}

/** Whether work begun in one state may go on in the other. */
export function isSameWork(a: SequencerState, b: SequencerState): boolean {
  const termOf = (state: SequencerState) => ("term" in state ? state.term : 0);
  return a.kind === b.kind && termOf(a) === termOf(b);
}
