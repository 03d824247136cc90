/**
 * How a server with an empty disk may begin (P6), from what the others say. Pure.
 *
 *   nobody has a log beyond its bootstrap entry  -> it writes that entry too
 *   somebody has a longer log                    -> it regains that log before it votes
 *   too few have answered                        -> it waits, and says for whom
 *
 * With N voters and a majority of m, N-m+1 others that remember everything are one more than a majority
 * can do without: whatever this server once promised to a majority, one of them knows of it. Who has lost
 * its own disk knows nothing of that, whatever it has learnt since, and is not counted.
 */

import { bootstrapIndex } from "../raft/membership.ts";
import { majorityOf } from "../raft/quorum.ts";
import type { EntryId, LogIndex, Recovery, ServerId, Standing, Term } from "../raft/types.ts";

export interface SurveyOptions {
  readonly id: ServerId;
  readonly voters: readonly ServerId[];
  /** Who was a member of this server's cluster before, as far as that is known, configured or not: all of them count. */
  readonly knownMembers: readonly ServerId[];
  /** Of this server's own last block; `firstHeight - 1` without one. */
  readonly height: number;
  readonly firstHeight: number;
  readonly startedMs: number;
  /**
   * Longer than any ballot that this server's forgotten vote could still decide. Only what is answered
   * later counts as evidence, and until then an absent member may still be starting.
   */
  readonly settleMs: number;
}

export interface SurveyAnswer {
  readonly term: Term;
  /** null: a Go peer's. */
  readonly standing: Standing | null;
  /** When the question was sent. */
  readonly askedMs: number;
}

export type SurveyOutcome =
  | { readonly kind: "bootstrap"; readonly term: Term; readonly baseHeight: number }
  | { readonly kind: "recover"; readonly recovery: Recovery; readonly baseHeight: number }
  | { readonly kind: "wait"; readonly reason: string };

export class Survey {
  readonly #options: SurveyOptions;
  readonly #members: readonly ServerId[];
  readonly #others: readonly ServerId[];
  readonly #latest = new Map<ServerId, SurveyAnswer>();
  /** Those of another chain, as they last answered: they are witnesses of nothing. */
  readonly #foreign = new Map<ServerId, Standing>();
  /** Those that have said in this survey that they never took part in an election. */
  readonly #pristine = new Set<ServerId>();
  /** The last entry that a leader of the highest term may count on this server's lost copy of. */
  #counted: EntryId = { term: 0, index: 0 };

  constructor(options: SurveyOptions) {
    this.#options = options;
    this.#members = [...new Set([...options.voters, ...options.knownMembers])];
    this.#others = this.#members.filter((id) => id !== options.id);
  }

  get others(): readonly ServerId[] {
    return this.#others;
  }

  heard(from: ServerId, answer: SurveyAnswer): void {
    // A Go peer from before pre-votes tells nothing: the transport has made a refusal of its error.
    if (answer.standing === null && answer.term === 0) return;
    if (!this.#others.includes(from)) return;
    this.#foreign.delete(from);
    if (answer.standing?.isOfOtherChain === true) {
      this.#foreign.set(from, answer.standing);
      return;
    }
    const known = this.#latest.get(from);
    if (known !== undefined && known.askedMs > answer.askedMs) return;
    this.#latest.set(from, answer);
    if (isPristine(answer)) this.#pristine.add(from);
  }

  /** A leader of `term` has sent what follows entry `index`: those up to it this server may have acknowledged. */
  wasSent(term: Term, index: LogIndex): void {
    const { term: highestTerm, index: highestIndex } = this.#counted;
    if (term < highestTerm || (term === highestTerm && index <= highestIndex)) return;
    this.#counted = { term, index };
  }

  outcome(nowMs: number): SurveyOutcome {
    const withLog = [...this.#latest].filter(([, answer]) => hasLog(answer)).map(([id]) => id);
    return withLog.length > 0 ? this.#regainOrWait(withLog, nowMs) : this.#bootstrapOrWait(nowMs);
  }

  #bootstrapOrWait(nowMs: number): SurveyOutcome {
    const obstacle = this.#forgottenText() ?? this.#foreignText();
    if (obstacle !== null) return wait(obstacle);
    const size = this.#members.length;
    const begin: SurveyOutcome = {
      kind: "bootstrap",
      term: Math.max(1, this.#highestTerm()),
      baseHeight: this.#highestHead(),
    };
    // Then there is no candidate that could hold a vote of this server.
    if (this.#pristine.size === this.#others.length) return begin;
    const silent = this.#silent();
    const blocks = this.#blocksText();
    if (blocks !== null && silent.length > 0) {
      return wait(
        `${blocks}, but no member that answers has a log of them: a new log is begun over existing ` +
          `blocks only once all members have answered. Silent: ${this.#namesOf(silent)}`,
      );
    }
    // Where there were elections a silent member may have entries that were committed with this server's
    // lost copy. Where nobody knows of any it is a new cluster, and a majority may begin.
    const wereElections = this.#highestTerm() > bootstrapTerm;
    const enough = wereElections
      ? this.#witnesses().length >= this.#witnessesNeeded
      : this.#settled().length >= majorityOf(size) - 1;
    if (enough && this.#hasSettled(nowMs)) return begin;
    if (silent.length === 0) return wait("waiting for elections that may be under way to end");
    const needed = wereElections ? this.#witnessesNeeded : majorityOf(size) - 1;
    const heard = this.#others.length - silent.length;
    const why = wereElections ? `, as there were elections up to term ${this.#highestTerm()}` : "";
    const answered = `${heard} of ${needed} needed members have answered${why}`;
    return wait(`${answered}; silent: ${this.#namesOf(silent)}`);
  }

  #regainOrWait(withLog: readonly ServerId[], nowMs: number): SurveyOutcome {
    if (this.#witnesses().length >= this.#witnessesNeeded && this.#hasSettled(nowMs)) {
      const minTerm = this.#highestTerm();
      const countedIndex = this.#counted.term === minTerm ? this.#counted.index : 0;
      return {
        kind: "recover",
        recovery: { minTerm, untilIndex: Math.max(this.#highestIndex(), countedIndex) },
        baseHeight: this.#highestBase(),
      };
    }
    const lost = this.#others.filter((id) => this.#latest.has(id) && !this.#remembersAll(id));
    const silent = this.#silent();
    const parts = [
      `${withLog.join(", ")} ${withLog.length === 1 ? "has" : "have"} a log up to entry ` +
        `${this.#highestIndex()}, which may be committed`,
      `what this node has promised is known once ${this.#witnessesNeeded} members answer that kept ` +
        "their raft_dir",
    ];
    if (lost.length > 0) parts.push(`${lost.join(", ")} lost theirs too`);
    if (silent.length > 0) parts.push(`silent: ${this.#namesOf(silent)}`);
    return wait(parts.join("; "));
  }

  /** One more than a majority can do without. */
  get #witnessesNeeded(): number {
    const { length } = this.#members;
    return length - majorityOf(length) + 1;
  }

  #witnesses(): readonly ServerId[] {
    return this.#settled().filter((id) => this.#remembersAll(id));
  }

  /** Those that answered a question sent after the survey had settled. */
  #settled(): readonly ServerId[] {
    const { startedMs, settleMs } = this.#options;
    return this.#others.filter((id) => {
      const answer = this.#latest.get(id);
      return answer !== undefined && answer.askedMs >= startedMs + settleMs;
    });
  }

  #hasSettled(nowMs: number): boolean {
    return nowMs >= this.#options.startedMs + this.#options.settleMs;
  }

  #silent(): readonly ServerId[] {
    return this.#others.filter((id) => !this.#latest.has(id));
  }

  #remembersAll(id: ServerId): boolean {
    const answer = this.#latest.get(id);
    // A Go node has no way to begin anew by itself: it answers with what it remembers.
    return answer !== undefined && (answer.standing?.memory ?? "whole") === "whole";
  }

  #highestTerm(): Term {
    return Math.max(0, ...[...this.#latest.values()].map(({ term }) => term));
  }

  #highestIndex(): LogIndex {
    return this.#highest(({ lastLogIndex }) => lastLogIndex, 0);
  }

  #highestHead(): number {
    return this.#highest(({ height }) => height, this.#options.height);
  }

  #highestBase(): number {
    return this.#highest(({ baseHeight }) => baseHeight, 0);
  }

  #highest(of: (standing: Standing) => number, least: number): number {
    const standings = [...this.#latest.values()].map(({ standing }) => standing);
    return Math.max(least, ...standings.map((standing) => (standing === null ? 0 : of(standing))));
  }

  #namesOf(ids: readonly ServerId[]): string {
    return ids.map((id) => this.#named(id)).join(", ");
  }

  #named(id: ServerId): string {
    if (this.#foreign.has(id)) return `${id} (has another genesis.json)`;
    const isConfigured = this.#options.voters.includes(id);
    return isConfigured ? id : `${id} (in member.json, and not in raft.peers)`;
  }

  /** Others may begin a log with all of them. null if raft.peers names everybody. */
  #forgottenText(): string | null {
    const { voters, knownMembers } = this.#options;
    const forgotten = knownMembers.filter((id) => !voters.includes(id));
    if (forgotten.length === 0) return null;
    return `raft.peers does not name ${forgotten.join(", ")}, of the members in member.json: list all of them, or move member.json away if there are others now`;
  }

  /** With the same key, a new chain could be another one beside that which is there. null if there is none. */
  #foreignText(): string | null {
    const found = [...this.#foreign].filter(([, standing]) => this.#hasChain(standing));
    if (found.length === 0) return null;
    const names = found.map(([id, { height }]) => `${id} up to height ${height}`).join(", ");
    return (
      `there are blocks of a chain with another genesis.json: ${names}. No chain is begun beside it: give all ` +
      "members the right genesis.json; or stop who is left from another chain, and start this node again"
    );
  }

  /** Whose first height is not known: with a log, but without blocks, it may say one less than that, mostly the same as here. */
  #hasChain({ memory, height, lastLogIndex }: Standing): boolean {
    const hasLog = memory === "partial" || lastLogIndex > bootstrapIndex;
    return hasLog || (height > 0 && height !== this.#options.firstHeight - 1);
  }

  /** Who has blocks; null if nobody has any. */
  #blocksText(): string | null {
    const { id, height, firstHeight } = this.#options;
    const heads = [...this.#latest].map(
      ([peer, { standing }]) => [peer, standing?.height] as const,
    );
    const found = [[id, height] as const, ...heads]
      .filter(([, head]) => head !== undefined && head >= firstHeight)
      .map(([node, head]) => `${node} has blocks up to height ${head}`);
    return found.length === 0 ? null : found.join(", ");
  }
}

function wait(reason: string): SurveyOutcome {
  return { kind: "wait", reason };
}

/** Whether something may be committed beyond the bootstrap entry, which all write alike. */
function hasLog({ term, standing }: SurveyAnswer): boolean {
  // A Go peer does not tell; leaders have terms from 2 on.
  if (standing === null) return term > bootstrapTerm;
  return standing.memory === "partial" || standing.lastLogIndex > bootstrapIndex;
}

/** Whether it can neither have campaigned nor voted: both are done in terms after the first. */
function isPristine(answer: SurveyAnswer): boolean {
  return answer.term <= bootstrapTerm && !hasLog(answer);
}

const bootstrapTerm: Term = 1;
