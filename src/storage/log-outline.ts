/**
 * What the log holds, without its payloads: its bounds, where terms begin, where configurations are.
 * Small, immutable and in memory, so that `termAt` never reads the disk and the state that is being
 * written can stand beside the one that is durable.
 */
import { assert } from "../base/assert.ts";
import type { Entry, EntryId, EntryKind, LogIndex, Term } from "../raft/types.ts";

export interface TermRun {
  readonly fromIndex: LogIndex;
  readonly term: Term;
}

export interface LogOutline {
  /** `lastIndex + 1` if the log is empty. */
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  /** Ascending; the first covers `firstIndex`, each ends where the next begins. Empty with the log. */
  readonly terms: readonly TermRun[];
  /** Ascending indexes of entries that change the configuration. */
  readonly configurations: readonly LogIndex[];
}

/** An empty log whose next entry is `afterIndex + 1`. */
export function emptyOutline(afterIndex: LogIndex): LogOutline {
  return { firstIndex: afterIndex + 1, lastIndex: afterIndex, terms: [], configurations: [] };
}

export function outlineHolds(outline: LogOutline, index: LogIndex): boolean {
  return index >= outline.firstIndex && index <= outline.lastIndex;
}

export function outlineTermAt(outline: LogOutline, index: LogIndex): Term | null {
  if (!outlineHolds(outline, index)) return null;
  const run = outline.terms.findLast((candidate) => candidate.fromIndex <= index);
  assert(run !== undefined, "every held entry has a term", { index, outline });
  return run.term;
}

/** `outline` with `entries` behind its last entry. They must follow it without a gap. */
export function appendEntries(
  outline: LogOutline,
  entries: readonly (EntryId & { readonly kind: EntryKind })[],
): LogOutline {
  let { lastIndex, terms, configurations } = outline;
  for (const { index, term, kind } of entries) {
    assert(index === lastIndex + 1, "the log has no gap", { index, lastIndex });
    const lastTerm = terms.at(-1)?.term ?? 0;
    assert(term >= lastTerm, "terms never go back along the log", { index, term, lastTerm });
    if (term > lastTerm || terms.length === 0) terms = [...terms, { fromIndex: index, term }];
    if (changesConfiguration(kind)) configurations = [...configurations, index];
    lastIndex = index;
  }
  return { firstIndex: outline.firstIndex, lastIndex, terms, configurations };
}

/** `outline` without entry `from` and all after it. */
export function truncateOutline(outline: LogOutline, from: LogIndex): LogOutline {
  assert(from >= outline.firstIndex, "only held entries are truncated", { from, outline });
  if (from > outline.lastIndex) return outline;
  return {
    firstIndex: outline.firstIndex,
    lastIndex: from - 1,
    terms: outline.terms.filter((run) => run.fromIndex < from),
    configurations: outline.configurations.filter((index) => index < from),
  };
}

/** `outline` without the entries up to `through`. */
export function compactOutline(outline: LogOutline, through: LogIndex): LogOutline {
  assert(through <= outline.lastIndex, "compaction stays within the log", { through, outline });
  if (through < outline.firstIndex) return outline;
  const firstIndex = through + 1;
  const firstTerm = outlineTermAt(outline, firstIndex);
  const later = outline.terms.filter((run) => run.fromIndex > firstIndex);
  return {
    firstIndex,
    lastIndex: outline.lastIndex,
    terms: firstTerm === null ? [] : [{ fromIndex: firstIndex, term: firstTerm }, ...later],
    configurations: outline.configurations.filter((index) => index >= firstIndex),
  };
}

function changesConfiguration(kind: Entry["kind"]): boolean {
  return kind === "configuration" || kind === "addPeer" || kind === "removePeer";
}
