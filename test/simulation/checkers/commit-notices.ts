/**
 * A follower that has what is committed, and answers, is told so by its leader within the delay that commit notices have,
 * also when no entry comes to carry it: by the leader's own clock, whatever the network then does.
 */

import type { Message } from "../../../src/raft/message.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { LogIndex, ServerId, Term } from "../../../src/raft/types.ts";
import type { SimulatedNode } from "../node.ts";
import type { Plan } from "../plan.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";

/** Timers come to the point; rounding is all that is forgiven. */
const slackMs = 1;

/** What one leader has said to one follower in its term. */
interface Told {
  readonly commitIndex: LogIndex;
  /** The last AppendEntries. */
  readonly requestId: number;
  isAnswered: boolean;
  /** Since when nothing but a notice can tell it of what is committed; null if it knows, or something else may. */
  owedSinceMs: number | null;
}

interface Leading {
  readonly term: Term;
  readonly told: Map<ServerId, Told>;
}

export class CommitNotices implements Checker {
  readonly #delayMs: number;
  readonly #leading = new Map<ServerId, Leading>();

  constructor({ commitNoticeMs }: Plan) {
    this.#delayMs = commitNoticeMs;
  }

  /** Each life has a clock of its own, and numbers of its own. */
  started(node: SimulatedNode): void {
    this.#leading.delete(node.id);
  }

  sending(node: SimulatedNode, message: Message): void {
    if (message.kind !== "appendEntriesRequest") return;
    const { told } = this.#leadingOf(node, message.term);
    const known = told.get(message.to);
    const commitIndex = Math.max(known?.commitIndex ?? 0, message.leaderCommit);
    const request = { requestId: message.id, isAnswered: false, owedSinceMs: null };
    told.set(message.to, { commitIndex, ...request });
  }

  receiving(node: SimulatedNode, message: Message): void {
    if (message.kind !== "appendEntriesResponse") return;
    const told = this.#leading.get(node.id)?.told.get(message.from);
    if (told?.requestId === message.id) told.isAnswered = true;
  }

  stepped(node: SimulatedNode, { role, term, commitIndex, peers }: RaftStatus): void {
    const { life } = node;
    if (role !== "leader" || life === null) return;
    const leading = this.#leadingOf(node, term);
    const nowMs = life.clock.now();
    for (const { id, matchIndex, pace } of peers) {
      const told = leading.told.get(id);
      if (told === undefined) continue;
      const isIdle = pace === "replicate" && matchIndex >= commitIndex && told.isAnswered;
      const isOwed = isIdle && told.commitIndex < commitIndex;
      told.owedSinceMs = isOwed ? (told.owedSinceMs ?? nowMs) : null;
      if (told.owedSinceMs === null) continue;
      const lateMs = nowMs - Math.max(told.owedSinceMs, life.wokeMs) - this.#delayMs;
      if (lateMs <= slackMs) continue;
      throw new Violation(
        "commits are told in time",
        `${node.id} has told ${id} of ${told.commitIndex}, and not of ${commitIndex}, which is ${lateMs.toFixed(1)} ms late`,
      );
    }
  }

  #leadingOf(node: SimulatedNode, term: Term): Leading {
    const known = this.#leading.get(node.id);
    if (known?.term === term) return known;
    const fresh = { term, told: new Map() };
    this.#leading.set(node.id, fresh);
    return fresh;
  }
}
