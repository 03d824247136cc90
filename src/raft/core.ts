/**
 * The protocol as a function: `step(input, nowMs) -> Ready`. No clock, disk, socket or promise; the
 * same core runs in production and in the simulator. README.md has the contract.
 */

import { assert, unreachable } from "../base/assert.ts";
import { applyWindowMaxBytes } from "../base/limits.ts";
import { handleFollowerAnswer, handleRpcFailure } from "./answers.ts";
import {
  handleRequestPreVoteResponse,
  handleRequestVoteResponse,
  handleTimeoutNow,
  onElectionDeadline,
  onPersisted,
  onProcessGone,
} from "./campaign.ts";
import { refuseContradiction } from "./contradiction.ts";
import {
  electionDeadline,
  handleAppendEntries,
  handleHeartbeat,
  handleInstallSnapshot,
} from "./follower.ts";
import {
  advanceCommit,
  checkQuorum,
  heartbeatIntervalMs,
  propose,
  proposeConfiguration,
  quorumDeadlineMs,
  sendHeartbeats,
  stepDownIfStalled,
} from "./leader.ts";
import type { Leadership } from "./leadership.ts";
import { leaseUntilMs, requestRead } from "./lease.ts";
import type { Message } from "./message.ts";
import type { RaftInput, Ready, StoredState } from "./ready.ts";
import { replicate, replicationDeadlineMs } from "./replication.ts";
import { type RaftDependencies, type RaftOptions, RaftServer, type Role } from "./server.ts";
import { hasJoined, type RaftStatus, statusOf } from "./status.ts";
import { continueTransfer, endTransfer, handOverIfUnfit, startTransfer } from "./transfer.ts";
import type { Entry, LogIndex, ServerId, Snapshot, Term } from "./types.ts";
import { handleRequestPreVote, handleRequestVote } from "./voting.ts";

export class RaftCore {
  readonly #server: RaftServer;
  #deadlineMs: number;

  /** A server that begins, or goes on from what it had stored. It is a follower at first. */
  constructor(
    options: RaftOptions,
    dependencies: RaftDependencies,
    stored: StoredState,
    nowMs: number,
  ) {
    this.#server = new RaftServer(options, dependencies, stored, nowMs);
    const { role } = this.#server;
    if (role.kind === "follower") role.electionDeadlineMs = electionDeadline(this.#server, nowMs);
    const { origin, log } = this.#server;
    if (origin.recovery !== null) {
      const { lastIndex } = log;
      this.#server.emit({ kind: "recovering", ...origin.recovery, lastIndex });
    }
    this.#deadlineMs = this.#nextDeadline();
  }

  get status(): RaftStatus {
    return statusOf(this.#server);
  }

  get role(): Role["kind"] {
    return this.#server.role.kind;
  }

  get currentTerm(): Term {
    return this.#server.currentTerm;
  }

  get leaderId(): ServerId | null {
    return this.#server.leaderId;
  }

  /** This server follows a leader whose log it matches, or leads and has committed in its term. */
  get hasJoined(): boolean {
    return hasJoined(this.#server);
  }

  get commitIndex(): LogIndex {
    return this.#server.commitIndex;
  }

  /** It has lost its disk, and neither votes nor campaigns until its log is regained (P6). */
  get isRecovering(): boolean {
    return this.#server.origin.recovery !== null;
  }

  /** Until when this server, as leader, may trust that nobody else leads; -Infinity if it may not. */
  get leaseUntilMs(): number {
    return leaseUntilMs(this.#server);
  }

  /** The term of a held entry; null for one that was compacted away, or is not there yet. */
  termAt(index: LogIndex): Term | null {
    return this.#server.log.termAt(index);
  }

  /**
   * Committed entries from `from` on, as many as `maxBytes` of payload allow, but at least one if
   * there is one. null if they were compacted away: the snapshot has them.
   */
  committedEntries(from: LogIndex, maxBytes = applyWindowMaxBytes): readonly Entry[] | null {
    const { log, commitIndex } = this.#server;
    if (from > commitIndex) return [];
    return from < log.firstIndex ? null : log.entries(from, commitIndex, maxBytes);
  }

  /** The newest snapshot, also one that is being installed and not yet on disk; null without one. */
  snapshot(): Snapshot | null {
    return this.#server.log.snapshot();
  }

  /** The configuration in force at `index`, and the index of the entry that brought it. */
  configurationAt(index: LogIndex): Pick<Snapshot, "configuration" | "configurationIndex"> {
    const { log, dependencies, membership, commitIndex } = this.#server;
    assert(index <= commitIndex, "it is known which configuration is committed", { index });
    if (membership.committedIndex <= index) {
      const { committed: configuration, committedIndex: configurationIndex } = membership;
      return { configuration, configurationIndex };
    }
    const entry = log.configurationEntries().findLast((candidate) => candidate.index <= index);
    if (entry !== undefined) {
      return { configuration: dependencies.codec.decode(entry), configurationIndex: entry.index };
    }
    const snapshot = log.snapshot();
    assert(snapshot !== null, "a log without configuration begins with a snapshot", { index });
    const { configuration, configurationIndex } = snapshot;
    return { configuration, configurationIndex };
  }

  /** Takes one input at `nowMs` of a monotonic clock. Throws InvariantError on a bug, and is then unusable. */
  step(input: RaftInput, nowMs: number): Ready {
    const server = this.#server;
    const { commitIndex, currentTerm } = server;
    const gapMs = nowMs - server.nowMs;
    // A follower hears its leader many times in that time.
    if (server.leader !== null && gapMs >= server.options.electionTimeoutMs / 2) {
      server.awokeMs = nowMs;
    }
    server.nowMs = Math.max(server.nowMs, nowMs);
    this.#forgiveOwnPause();
    this.#passDeadlines();
    this.#take(input);
    if (server.role.kind === "leader") this.#lead(server.role.leadership);
    assert(server.commitIndex >= commitIndex, "commitIndex never goes back");
    assert(server.currentTerm >= currentTerm, "currentTerm never goes back");
    this.#checkInvariants();
    this.#deadlineMs = this.#nextDeadline();
    return {
      ...server.takeOutput(),
      commitIndex: server.commitIndex,
      deadlineMs: this.#deadlineMs,
    };
  }

  /**
   * A tick that comes late means that this process stood still (SIGSTOP, a long collection of
   * garbage): what others said meanwhile waits in the sockets. It is heard before silence is blamed
   * on them (P13). No safety rests on it: a deposed leader commits nothing.
   */
  #forgiveOwnPause(): void {
    const server = this.#server;
    const graceMs = heartbeatIntervalMs(server);
    const lateMs = server.nowMs - this.#deadlineMs;
    if (lateMs < graceMs) return;
    const { role } = server;
    if (role.kind === "leader") {
      role.leadership.quorumCheckFromMs = server.nowMs + server.options.heartbeatTimeoutMs;
      role.leadership.standstillSinceMs += lateMs;
      role.leadership.leasedMs += lateMs;
      role.leadership.usefulMs += lateMs;
    } else if (role.kind === "follower") {
      role.electionDeadlineMs = Math.max(role.electionDeadlineMs, server.nowMs + 2 * graceMs);
    }
  }

  #passDeadlines(): void {
    const server = this.#server;
    const { role, nowMs } = server;
    if (role.kind === "leader") {
      const { leadership } = role;
      const { transfer } = leadership;
      if (transfer !== null && nowMs >= transfer.deadlineMs) {
        endTransfer(server, leadership, "timeout");
      }
      checkQuorum(server, leadership);
      stepDownIfStalled(server);
      return;
    }
    const deadlineMs = role.kind === "follower" ? role.electionDeadlineMs : role.deadlineMs;
    if (deadlineMs !== null && nowMs >= deadlineMs) onElectionDeadline(server);
  }

  /** What a leader does in every step, whatever came in. */
  #lead(leadership: Leadership): void {
    const server = this.#server;
    if (server.nowMs >= leadership.nextHeartbeatMs) sendHeartbeats(server, leadership);
    for (const progress of leadership.progress.values()) {
      if (replicationDeadlineMs(progress) <= server.nowMs) replicate(server, progress);
    }
    continueTransfer(server, leadership);
    handOverIfUnfit(server, leadership);
  }

  #take(input: RaftInput): void {
    const server = this.#server;
    switch (input.kind) {
      case "tick":
        return;
      case "message":
        return this.#receive(input.message);
      case "rpcFailed":
        return handleRpcFailure(server, input.request);
      case "persisted":
        server.persisted(input.sequence);
        if (server.role.kind === "leader") advanceCommit(server, server.role.leadership);
        return onPersisted(server);
      case "propose":
        return propose(server, input.term, input.commands);
      case "proposeConfiguration": {
        const problem = proposeConfiguration(server, input.configuration);
        if (problem !== null) server.emit({ kind: "configurationRefused", reason: problem });
        return;
      }
      case "readiness":
        server.ownReadiness = input.readiness;
        return;
      case "transferLeadership": {
        const reason = startTransfer(server, input.targetId);
        if (reason !== null) server.emit({ kind: "transferRefused", reason });
        return;
      }
      case "confirmLeadership":
        return requestRead(server, input.readId);
      case "processGone":
        return onProcessGone(server, input.peerId);
      default:
        return unreachable(input);
    }
  }

  #receive(message: Message): void {
    const server = this.#server;
    assert(message.to === server.id, "a message reaches whom it is for", { to: message.to });
    if (refuseContradiction(server, message)) return;
    switch (message.kind) {
      case "heartbeatRequest":
        return handleHeartbeat(server, message);
      case "appendEntriesRequest":
        return handleAppendEntries(server, message);
      case "installSnapshotRequest":
        return handleInstallSnapshot(server, message);
      case "requestVoteRequest":
        return handleRequestVote(server, message);
      case "requestPreVoteRequest":
        return handleRequestPreVote(server, message);
      case "timeoutNowRequest":
        return handleTimeoutNow(server, message);
      case "requestVoteResponse":
        return handleRequestVoteResponse(server, message);
      case "requestPreVoteResponse":
        return handleRequestPreVoteResponse(server, message);
      case "heartbeatResponse":
      case "appendEntriesResponse":
      case "installSnapshotResponse":
        return handleFollowerAnswer(server, message);
      case "timeoutNowResponse":
        return;
      default:
        return unreachable(message);
    }
  }

  #nextDeadline(): number {
    const server = this.#server;
    const { role } = server;
    if (role.kind === "follower") return role.electionDeadlineMs;
    if (role.kind !== "leader") return role.deadlineMs ?? Number.POSITIVE_INFINITY;
    const { leadership } = role;
    let deadlineMs = Math.min(leadership.nextHeartbeatMs, quorumDeadlineMs(server, leadership));
    if (leadership.transfer !== null) {
      deadlineMs = Math.min(deadlineMs, leadership.transfer.deadlineMs);
    }
    for (const progress of leadership.progress.values()) {
      deadlineMs = Math.min(deadlineMs, replicationDeadlineMs(progress));
    }
    return deadlineMs;
  }

  #checkInvariants(): void {
    const server = this.#server;
    const { log, commitIndex, role } = server;
    assert(commitIndex <= log.lastIndex, "what is committed is in the log", { commitIndex });
    assert(commitIndex >= log.snapshotLast.index, "what is in a snapshot is committed");
    assert(log.durableIndex <= log.lastIndex, "what is durable is in the log");
    if (role.kind !== "follower") {
      assert(server.origin.recovery === null, "who is recovering only follows (P6)");
    }
    if (role.kind === "leader") {
      assert(server.votedFor === server.id, "a leader voted for itself");
      assert(server.leader === null, "a leader follows nobody");
    }
    if (role.kind === "candidate") {
      assert(server.votedFor === server.id, "a candidate voted for itself");
    }
  }
}
