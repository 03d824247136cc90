/** Whether a node is fit to lead, and else why not (P5). Pure. */

import type { Backlog } from "./applier.ts";

/** What a write of the Raft log or of the blocks takes, on average or by now, and may take. */
export interface SlowDisk {
  readonly takesMs: number;
  readonly limitMs: number;
}

/** What consensus knows of its own fitness to lead; it stands back by itself. */
export interface RaftHealth {
  /** null while the disk of the Raft log keeps up. */
  readonly slowDisk: SlowDisk | null;
  /** It led, nothing that it sent was stored, and it lets others lead for a while. */
  readonly standsBack: boolean;
}

export const wellRaft: RaftHealth = { slowDisk: null, standsBack: false };

export interface ReadinessFacts {
  readonly isDraining: boolean;
  /** It is known what log this node goes on with. */
  readonly hasLog: boolean;
  /** It has lost its raft_dir, and may not lead (P6). */
  readonly isRecovering: boolean;
  /** Blocks up to this height are older than the log, and not all here; null if they are. */
  readonly missingHeight: number | null;
  readonly backlog: Backlog | null;
  /** How long the execution client has failed; 0 while it answers. */
  readonly failingMs: number;
  /** An execution client that fails for so long makes the node unready. */
  readonly unreadyAfterMs: number;
  readonly raft: RaftHealth;
  /** null while the disk of the blocks keeps up: each waits for its signing mark there. */
  readonly slowDataDisk: SlowDisk | null;
  /** Committed entries that are not applied. */
  readonly behind: number;
}

/** A node that is fit to lead takes over without a noticeable pause: it has next to nothing left to apply. */
const leaderEntriesBehindMax = 8;

const slowRaftDisk = "the disk of raft_dir is slow";
const slowDataDisk = "the disk of the data directory is slow";

/**
 * The same words as long as the reason is the same: they are one line in the log. Of use to clients a node
 * may be with more entries left to apply than one that is to lead.
 */
export function whyUnready(
  facts: ReadinessFacts,
  entriesBehindMax = leaderEntriesBehindMax,
): string | null {
  if (facts.isDraining) return "this node is shutting down";
  if (facts.failingMs > facts.unreadyAfterMs) return "the execution client fails";
  if (facts.backlog?.kind === "replaying") return "stored blocks are executed again";
  if (facts.backlog?.kind === "fetching") return "missing blocks are fetched from other nodes";
  if (!facts.hasLog) return "the log is not open yet";
  if (facts.isRecovering) return "raft_dir was lost, and the log is not yet regained";
  if (facts.missingHeight !== null) {
    return `blocks up to height ${facts.missingHeight}, which are older than the log, are missing`;
  }
  if (facts.raft.slowDisk !== null) return slowRaftDisk;
  if (facts.slowDataDisk !== null) return slowDataDisk;
  if (facts.behind > entriesBehindMax) return "committed blocks are not yet applied";
  return facts.raft.standsBack
    ? "it led and could not replicate, and stands back for a while"
    : null;
}

/** With how far or how slow it is, for whoever asks now. */
export function unreadyDetail(facts: ReadinessFacts, entriesBehindMax?: number): string | null {
  const reason = whyUnready(facts, entriesBehindMax);
  if (reason === null) return null;
  if (reason === slowRaftDisk) return withFigures(reason, facts.raft.slowDisk);
  if (reason === slowDataDisk) return withFigures(reason, facts.slowDataDisk);
  const { backlog } = facts;
  return backlog === null
    ? reason
    : `${reason}: height ${backlog.height} of ${backlog.targetHeight}`;
}

function withFigures(reason: string, slow: SlowDisk | null): string {
  if (slow === null) return reason;
  const [takesMs, limitMs] = [slow.takesMs.toFixed(0), slow.limitMs.toFixed(0)];
  return `${reason}: a write takes ${takesMs} ms, and may take ${limitMs}`;
}

/** What the log says of a node that is fit to lead. */
export const readyWord = "ready";
export const leaderlessReason = "no leader is known, or its log is not joined yet";
