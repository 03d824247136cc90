/** Leading: taking office, the log, commitment, and stepping down (Raft §5.3, §5.4; thesis §6.2). */

import { assert } from "../base/assert.ts";
import { entrySizeMaxBytes, replicationStallMinMs, slowestLinkBytesPerMs } from "../base/limits.ts";
import { becomeFollower } from "./follower.ts";
import { type Leadership, quorumContact } from "./leadership.ts";
import { confirmReads } from "./lease.ts";
import { payloadBytes } from "./log.ts";
import { bootstrapIndex, changeProblem, configurationProblem, suffrageOf } from "./membership.ts";
import { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import type { Command } from "./ready.ts";
import { replicateToAll } from "./replication.ts";
import type { RaftServer } from "./server.ts";
import type { Configuration, Entry, LogIndex, Term } from "./types.ts";

/** Three heartbeats fit into a lease, so that one lost does not end it. */
export function heartbeatIntervalMs(server: RaftServer): number {
  return server.options.leaderLeaseTimeoutMs / 3;
}

export function becomeLeader(server: RaftServer): void {
  assert(server.votedFor === server.id, "a leader voted for itself", { votedFor: server.votedFor });
  const { log, nowMs } = server;
  const leadership: Leadership = {
    progress: new Map(),
    firstIndex: log.lastIndex + 1,
    nextHeartbeatMs: nowMs,
    standstillSinceMs: nowMs,
    leasedMs: nowMs,
    usefulMs: nowMs,
    quorumCheckFromMs: nowMs + server.options.heartbeatTimeoutMs,
    transfer: null,
    leaseFloorStamp: server.lastStamp,
    handOverTriedMs: nowMs,
    reads: [],
  };
  server.leader = null;
  server.role = { kind: "leader", leadership };
  server.appendEntries([firstEntry(server)]);
  followMembership(server, leadership);
  sendHeartbeats(server, leadership);
  replicateToAll(server, leadership);
  advanceCommit(server, leadership);
}

/**
 * A leader's first entry commits all before it (Raft §8). In a cluster that has only its bootstrap
 * entry, it is the configuration with the addresses as this leader knows them, instead of a no-op.
 */
function firstEntry(server: RaftServer): Entry {
  const { latest, latestIndex } = server.membership;
  const entry = { index: server.log.lastIndex + 1, term: server.currentTerm };
  const nothing = { extensions: null, appendedAt: null };
  if (latestIndex <= bootstrapIndex) {
    const servers = latest.servers.map((member) => ({
      ...member,
      address: server.dependencies.addressOf(member.id) ?? member.address,
    }));
    if (configurationProblem({ servers }) === null) {
      const data = server.dependencies.codec.encode({ servers });
      return { ...entry, ...nothing, kind: "configuration", data };
    }
  }
  return { ...entry, ...nothing, kind: "noop", data: null };
}

/** Keeps one Progress for each other server of the latest configuration. */
function followMembership(server: RaftServer, { progress }: Leadership): void {
  const { peers } = server;
  for (const id of [...progress.keys()]) if (!peers.includes(id)) progress.delete(id);
  for (const id of peers) {
    if (progress.has(id)) continue;
    // From the first own entry: it goes out at once, and tells whether all before it matches.
    progress.set(id, new Progress(id, server.log.lastIndex, server.nowMs));
  }
}

export function propose(server: RaftServer, term: Term, commands: readonly Command[]): void {
  const { role, log, currentTerm } = server;
  if (role.kind !== "leader" || currentTerm !== term) {
    const { leaderId } = server;
    for (const { proposalId } of commands) {
      server.answerProposal({ kind: "notLeader", proposalId, leaderId });
    }
    return;
  }
  const entries: Entry[] = [];
  for (const { proposalId, data, appendedAt } of commands) {
    const reason = whyNotPropose(server, role.leadership, data.length);
    if (reason !== null) {
      server.answerProposal({ kind: "unavailable", proposalId, reason });
      continue;
    }
    const index = log.lastIndex + 1 + entries.length;
    entries.push({
      index,
      term: currentTerm,
      kind: "command",
      data,
      extensions: null,
      appendedAt,
    });
    server.answerProposal({ kind: "appended", proposalId, index, term: currentTerm });
  }
  if (entries.length > 0) role.leadership.usefulMs = server.nowMs;
  server.appendEntries(entries);
  replicateToAll(server, role.leadership);
}

function whyNotPropose(
  { log }: RaftServer,
  { transfer }: Leadership,
  sizeBytes: number,
): string | null {
  if (transfer !== null) return "leadership is being handed over";
  // The others' copies may commit it, so that nothing else stops a leader whose disk does not write any more.
  if (log.isOverfull) return "too much waits for this node's disk";
  // Once in the log it could never be replicated: no peer takes so large a frame.
  return sizeBytes > entrySizeMaxBytes
    ? `its ${sizeBytes} bytes exceed the ${entrySizeMaxBytes} that an entry may have`
    : null;
}

/** Appends a configuration; returns why it may not be, or null (hashicorp 5.8: one change at a time). */
export function proposeConfiguration(
  server: RaftServer,
  configuration: Configuration,
): string | null {
  const { role, membership } = server;
  if (role.kind !== "leader") return "this server does not lead";
  if (role.leadership.transfer !== null) return "leadership is being handed over";
  if (server.commitIndex < role.leadership.firstIndex) return "this leader's term has not begun";
  if (membership.latestIndex !== membership.committedIndex) return "another change is under way";
  const problem = changeProblem(membership.latest, configuration);
  if (problem !== null) return problem;
  server.appendEntries([
    {
      index: server.log.lastIndex + 1,
      term: server.currentTerm,
      kind: "configuration",
      data: server.dependencies.codec.encode(configuration),
      extensions: null,
      appendedAt: null,
    },
  ]);
  followMembership(server, role.leadership);
  replicateToAll(server, role.leadership);
  return null;
}

/**
 * Commits what a majority of voters has on disk.
 *
 * Only an entry of our own term commits by counting copies (Raft §5.4.2). Copies of an older one
 * prove nothing; S5 could still win S2 and S3 with its higher last term, and erase entry 2 (Fig. 8):
 *   index     1 2 3
 *   S1        1 2 4    leads term 4; entry 2 is on a majority, and yet not committed
 *   S2, S3    1 2
 *   S5        1 3
 */
export function advanceCommit(server: RaftServer, leadership: Leadership): void {
  const { log, commitIndex } = server;
  const stored = storedIndex(server, leadership, log.durableIndex);
  if (stored <= commitIndex || log.termAt(stored) !== server.currentTerm) return;
  server.commitThrough(stored);
  leadership.standstillSinceMs = server.nowMs;
  if (commitIndex < leadership.firstIndex) {
    const { currentTerm: term } = server;
    server.emit({ kind: "becameLeader", term, lastLogIndex: log.lastIndex });
    confirmReads(server, leadership);
  }
  // Also what ends this leadership is told first: the others need not find out by an election.
  replicateToAll(server, leadership);
  if (suffrageOf(server.membership.committed, server.id) !== "voter") {
    becomeFollower(server, server.currentTerm, "this server is no voter any more");
  }
}

/** What a majority of voters has stored, where this one has stored up to `ownIndex`. */
function storedIndex(server: RaftServer, { progress }: Leadership, ownIndex: LogIndex): LogIndex {
  return quorumValue(
    server.voters.map((id) => (id === server.id ? ownIndex : (progress.get(id)?.matchIndex ?? 0))),
  );
}

export function sendHeartbeats(server: RaftServer, leadership: Leadership): void {
  leadership.nextHeartbeatMs = server.nowMs + heartbeatIntervalMs(server);
  const sentAtMs = server.nextStamp();
  for (const to of leadership.progress.keys()) {
    server.sendAfterHardState({ kind: "heartbeatRequest", to, term: server.currentTerm, sentAtMs });
  }
}

/**
 * Steps down if no majority has been heard for a heartbeat timeout (check-quorum, thesis §6.2). With
 * the lease, which is shorter, go the sequencer's blocks and reads; the office is kept until others may
 * give it to somebody else, since an election costs more than a late answer (P13).
 */
export function checkQuorum(server: RaftServer, leadership: Leadership): void {
  const { nowMs } = server;
  if (nowMs < quorumDeadlineMs(server, leadership)) return;
  const silent = [...leadership.progress.values()]
    .filter((peer) => nowMs - peer.lastContactMs >= server.options.heartbeatTimeoutMs)
    .map((peer) => peer.id);
  server.emit({ kind: "quorumLost", term: server.currentTerm, silent });
  becomeFollower(server, server.currentTerm, "no majority answered within the heartbeat timeout");
}

/** For so many times what it took to find out: then its cost is bounded, also where an unready leader hands over to it. */
const standBackFactor = 10;
const standBackMaxMs = 30 * 60_000;

/**
 * Steps down if a majority answers heartbeats and nobody stores what it is sent: a path on which small packets pass and large
 * ones do not (a tunnel's MTU), disks that hang. Its heartbeats would keep those from leading whom the others can hear. Not
 * while a snapshot is on its way, which may take long, nor where the own disk is what is waited for (P5); and not where
 * it is the only voter, or about to be none.
 */
export function stepDownIfStalled(server: RaftServer): void {
  const { role, nowMs, log, voters } = server;
  if (role.kind !== "leader") return;
  const { leadership } = role;
  if (server.commitIndex === log.lastIndex) leadership.standstillSinceMs = nowMs;
  const limitMs = server.options.replicationStallMs ?? replicationStallMinMs;
  if (nowMs - leadership.standstillSinceMs < limitMs || voters.length === 1) return;
  const followers = [...leadership.progress.values()].filter(({ id }) => voters.includes(id));
  const matchedMs = Math.max(...followers.map(({ matchedStamp }) => matchedStamp));
  const stalledMs = nowMs - Math.max(leadership.standstillSinceMs, matchedMs);
  if (stalledMs < limitMs + slowestTransferMs(server, followers.length)) return;
  if (followers.some(({ pace }) => pace.kind === "snapshot")) return;
  const stored = storedIndex(server, leadership, log.lastIndex);
  if (stored > server.commitIndex && log.termAt(stored) === server.currentTerm) return;
  const standBackMs = Math.min(standBackFactor * stalledMs, standBackMaxMs);
  server.stalledUntilMs = nowMs + standBackMs;
  const { currentTerm: term, commitIndex } = server;
  server.emit({ kind: "replicationStalled", term, commitIndex, stalledMs, standBackMs });
  becomeFollower(server, term, "a majority answers, and stores nothing that it is sent");
}

/** What the next entry to commit takes on the slowest links, if all copies share the leader's own. */
function slowestTransferMs({ log, commitIndex }: RaftServer, copies: number): number {
  const [next] = log.entries(commitIndex + 1, commitIndex + 1, 0);
  return (copies * (next === undefined ? 0 : payloadBytes(next))) / slowestLinkBytesPerMs;
}

export function quorumDeadlineMs(server: RaftServer, leadership: Leadership): number {
  const contactMs = quorumContact(leadership, server.id, server.voters, (p) => p.lastContactMs);
  const deadlineMs = contactMs + server.options.heartbeatTimeoutMs;
  return Math.max(leadership.quorumCheckFromMs, deadlineMs);
}
