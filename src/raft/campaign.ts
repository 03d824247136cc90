/** Becoming leader: silence, pre-vote, vote (Raft §5.2, thesis §9.6), and not waiting for a dead one (P10). */

import { becomeFollower, electionDeadline, standBackMs } from "./follower.ts";
import { becomeLeader } from "./leader.ts";
import type { RequestPreVoteResponse, RequestVoteResponse, TimeoutNowRequest } from "./message.ts";
import { voteResult } from "./quorum.ts";
import type { RpcFailure } from "./ready.ts";
import type { Ballot, Candidate, RaftServer } from "./server.ts";
import type { ServerId } from "./types.ts";

/** A follower's, preCandidate's or candidate's deadline has passed. */
export function onElectionDeadline(server: RaftServer): void {
  const { role } = server;
  if (role.kind === "leader") return;
  if (role.kind === "candidate" && !server.isHardStateDurable) {
    // A new term would come no sooner to a disk that takes longer than an election, and would cost all others theirs.
    role.deadlineMs = null;
    return;
  }
  if (role.kind === "follower") {
    if (!server.hasVote) {
      role.electionDeadlineMs = electionDeadline(server, server.nowMs);
      return;
    }
    const silentMs = server.nowMs - server.leaderContactMs;
    // A leader whose process is gone is not waited for: that was told already.
    if (silentMs >= server.options.heartbeatTimeoutMs) {
      server.emit({ kind: "electionTimeout", term: server.currentTerm, silentMs });
    }
  }
  becomePreCandidate(server);
}

/** Something is on disk. If it is a candidate's own vote, it counts from now on. */
export function onPersisted(server: RaftServer): void {
  const { role } = server;
  if (role.kind !== "candidate" || !server.isHardStateDurable) return;
  if (role.granted.has(server.id)) return;
  if (role.deadlineMs === null) askForVotes(server, role.isTransfer);
  else recordVote(server, server.id, true);
}

/**
 * The process of a peer is gone. If it led, nobody needs to wait out its timeout. All followers notice
 * in the same instant, so they take turns, in the order of their ids: the first campaigns now, and its
 * votes are cast before the second asks (see also voting.ts). An unready one lets the ready go first.
 */
export function onProcessGone(server: RaftServer, peerId: ServerId): void {
  const { role, options } = server;
  if (role.kind === "leader" || server.leader?.id !== peerId) return;
  server.leader = null;
  server.emit({ kind: "leaderProcessGone", term: server.currentTerm, leaderId: peerId });
  if (role.kind !== "follower") return;
  const survivors = server.voters.filter((id) => id !== peerId).sort();
  const turnMs = options.heartbeatTimeoutMs / 8;
  const turn = Math.max(0, survivors.indexOf(server.id)) + server.dependencies.random() / 8;
  const patienceMs = server.readiness.isReady
    ? 0
    : options.heartbeatTimeoutMs + standBackMs(server);
  const campaignMs = server.nowMs + turn * turnMs + patienceMs;
  role.electionDeadlineMs = Math.min(role.electionDeadlineMs, campaignMs);
}

/** TimeoutNow: the leader wants this server to take over, without pre-vote (thesis §3.10). */
export function handleTimeoutNow(server: RaftServer, request: TimeoutNowRequest): void {
  server.sendNow({ kind: "timeoutNowResponse", to: request.from, id: request.id });
  if (server.role.kind === "leader" || !server.hasVote) return;
  // One that was under way while leadership changed would only disturb the new leader.
  if (server.leaderId !== null && server.leaderId !== request.from) return;
  // And one that waited in the sockets of a process that stood still: its leader has given up, and leads on (P13).
  if (server.nowMs - server.awokeMs < server.options.heartbeatTimeoutMs) return;
  becomeCandidate(server, true);
}

function becomePreCandidate(server: RaftServer): void {
  const isRetry = server.role.kind === "preCandidate";
  const sinceMs = server.role.kind === "preCandidate" ? server.role.sinceMs : server.nowMs;
  server.leader = null;
  // Nothing is at stake in a pre-vote, so an unsuccessful one is soon repeated.
  const retryMs = server.options.heartbeatTimeoutMs * (0.25 + server.dependencies.random() / 2);
  server.role = {
    kind: "preCandidate",
    sinceMs,
    granted: new Set([server.id]),
    refused: new Set(),
    deadlineMs: server.nowMs + retryMs,
  };
  if (!isRetry) server.emit({ kind: "becamePreCandidate", term: server.currentTerm });
  if (ballotResult(server, server.role) === "won") return becomeCandidate(server, false);
  for (const id of server.voters) {
    if (id === server.id) continue;
    server.sendNow({
      kind: "requestPreVoteRequest",
      to: id,
      term: server.currentTerm + 1,
      last: server.log.last,
      readiness: server.readiness,
    });
  }
}

function becomeCandidate(server: RaftServer, isTransfer: boolean): void {
  // Its disk has kept up so far. One that stalls would cost the others a term, and a leader that hands over its office.
  const asksAtOnce = server.isHardStateDurable && server.isLogDurable && !isTransfer;
  server.leader = null;
  server.setHardState({ currentTerm: server.currentTerm + 1, votedFor: server.id });
  server.emit({ kind: "becameCandidate", term: server.currentTerm, isTransfer });
  if (asksAtOnce) askForVotes(server, isTransfer);
  else server.role = newCandidate(server, isTransfer, null);
}

/**
 * At once, the others write their votes while this server writes its own, without which it does not win (etcd does the same).
 * Not so while what it says of its log is not on disk: after a crash it could ask in this term again, for a shorter log, and a
 * hashicorp voter gives a vote a second time without looking. Who waits for its own vote until the ballot's time is over asks
 * anew, and counts what is answered to that: an older answer may be the vote of a server that has lost its disk since (P6).
 */
function askForVotes(server: RaftServer, isTransfer: boolean): void {
  const deadlineMs = server.nowMs + server.spread(server.options.electionTimeoutMs);
  server.role = newCandidate(server, isTransfer, deadlineMs);
  for (const id of server.voters) {
    if (id === server.id) continue;
    server.sendNow({
      kind: "requestVoteRequest",
      to: id,
      term: server.currentTerm,
      last: server.log.last,
      leadershipTransfer: isTransfer,
    });
  }
  if (server.isHardStateDurable) recordVote(server, server.id, true);
}

function newCandidate(
  server: RaftServer,
  isTransfer: boolean,
  deadlineMs: number | null,
): Candidate {
  return {
    kind: "candidate",
    isTransfer,
    firstRequestId: server.lastMessageId + 1,
    granted: new Set(),
    refused: new Set(),
    deadlineMs,
  };
}

export function handleRequestPreVoteResponse(
  server: RaftServer,
  response: RequestPreVoteResponse,
): void {
  // A grant carries the term that was asked for: one above ours is no newer term (hashicorp).
  if (response.term > server.currentTerm + 1) {
    return becomeFollower(server, response.term, `${response.from} is in term ${response.term}`);
  }
  if (server.role.kind !== "preCandidate" || response.term < server.currentTerm) return;
  if (response.granted && response.term !== server.currentTerm + 1) return;
  record(server.role, response.from, response.granted);
  if (ballotResult(server, server.role) === "won") becomeCandidate(server, false);
}

export function handleRequestVoteResponse(server: RaftServer, response: RequestVoteResponse): void {
  if (response.term > server.currentTerm) {
    return becomeFollower(server, response.term, `${response.from} is in term ${response.term}`);
  }
  const { role } = server;
  if (role.kind !== "candidate" || response.term !== server.currentTerm) return;
  if (response.id >= role.firstRequestId) recordVote(server, response.from, response.granted);
}

/** An RPC that failed is a refusal (hashicorp). */
export function onBallotFailed(server: RaftServer, { kind, to, id }: RpcFailure): void {
  const { role } = server;
  if (role.kind === "preCandidate" && kind === "requestPreVoteRequest") record(role, to, false);
  if (role.kind !== "candidate" || kind !== "requestVoteRequest") return;
  if (id >= role.firstRequestId) recordVote(server, to, false);
}

function recordVote(server: RaftServer, from: ServerId, granted: boolean): void {
  const { role } = server;
  if (role.kind !== "candidate" || role.deadlineMs === null) return;
  record(role, from, granted);
  const result = ballotResult(server, role);
  // Not without its own: after a crash it would not know that it has led in this term, and could vote in it for another.
  if (result === "won" && role.granted.has(server.id)) win(server, role);
  // A lost ballot is not worth waiting for: the next one may begin, after others had their chance.
  if (result === "lost") {
    const retryMs = server.options.heartbeatTimeoutMs * (0.5 + server.dependencies.random());
    role.deadlineMs = Math.min(role.deadlineMs, server.nowMs + retryMs);
  }
}

function win(server: RaftServer, ballot: Ballot): void {
  server.emit({ kind: "electionWon", term: server.currentTerm, tally: ballot.granted.size });
  becomeLeader(server);
}

function record(ballot: Ballot, from: ServerId, granted: boolean): void {
  if (granted) ballot.granted.add(from);
  else if (!ballot.granted.has(from)) ballot.refused.add(from);
}

function ballotResult(server: RaftServer, { granted, refused }: Ballot) {
  return voteResult(server.voters, granted, refused);
}
