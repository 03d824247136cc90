/** Answering those who campaign (Raft §5.2, §5.4.1; thesis §9.6; the order of checks is hashicorp's). */

import { becomeFollower, electionDeadline, unreadyWaitMs } from "./follower.ts";
import { suffrageOf } from "./membership.ts";
import type { RequestPreVoteRequest, RequestVoteRequest } from "./message.ts";
import { standingOf } from "./recovery.ts";
import type { RaftServer } from "./server.ts";
import type { EntryId, ServerId } from "./types.ts";

export function handleRequestVote(server: RaftServer, request: RequestVoteRequest): void {
  const reason = whyNoVote(server, request);
  if (reason === null) {
    server.setHardState({ currentTerm: request.term, votedFor: request.from });
    // Its own campaign would only depose whom it has just helped.
    if (server.role.kind === "preCandidate") {
      becomeFollower(server, server.currentTerm, `${request.from} has its vote`);
    }
    // Whoever got the vote gets the time to win with it.
    if (server.role.kind === "follower") {
      server.role.electionDeadlineMs = electionDeadline(server, server.nowMs);
    }
  } else {
    refused(server, request, reason);
  }
  server.sendAfterHardState({
    kind: "requestVoteResponse",
    to: request.from,
    id: request.id,
    term: server.currentTerm,
    granted: reason === null,
  });
}

function whyNoVote(server: RaftServer, request: RequestVoteRequest): string | null {
  const { latest } = server.membership;
  const suffrage = suffrageOf(latest, request.from);
  if (latest.servers.length > 0 && suffrage === null) return "it is no member";
  const { leaderId } = server;
  if (leaderId !== null && leaderId !== request.from && !request.leadershipTransfer) {
    return `${leaderId} leads and is heard`;
  }
  if (request.term < server.currentTerm) return `its term ${request.term} is over`;
  if (request.term > server.currentTerm) {
    becomeFollower(server, request.term, `${request.from} campaigns in term ${request.term}`);
  }
  if (latest.servers.length > 0 && suffrage !== "voter") return "it has no vote itself";
  if (server.origin.recovery !== null) return stillRecovering;
  if (!isVoteOpen(server, request.from)) {
    return `the vote of term ${request.term} went to ${server.votedFor}`;
  }
  return isUpToDate(server, request.last) ? null : "its log is behind";
}

/** Whether a campaign could succeed; promises nothing and changes nothing. */
export function handleRequestPreVote(server: RaftServer, request: RequestPreVoteRequest): void {
  if (request.term === 0) return tellStanding(server, request);
  const reason = whyNoPreVote(server, request);
  if (reason !== null) refused(server, request, reason);
  else giveWay(server, request);
  server.sendNow({
    kind: "requestPreVoteResponse",
    to: request.from,
    id: request.id,
    // hashicorp's echo: not a newer term, but the one that the sender asked for.
    term: Math.max(server.currentTerm, request.term),
    granted: reason === null,
  });
}

/**
 * Two that campaign at once would split the votes: the one that gives way lets the other win. Once for
 * each term: whom the answers do not reach asks for ever, and would keep everybody from campaigning.
 */
function giveWay(server: RaftServer, { from, term }: RequestPreVoteRequest): void {
  if (server.role.kind !== "preCandidate" || server.gaveWay.get(from) === term) return;
  server.gaveWay.set(from, term);
  becomeFollower(server, server.currentTerm, `${from} campaigns and goes first`);
}

const stillRecovering = "this node has lost its disk, and not yet regained its log (P6)";

function whyNoPreVote(server: RaftServer, request: RequestPreVoteRequest): string | null {
  const suffrage = suffrageOf(server.membership.latest, request.from);
  if (server.membership.latest.servers.length > 0 && suffrage === null) return "it is no member";
  const { leaderId } = server;
  if (leaderId !== null && leaderId !== request.from) return `${leaderId} leads and is heard`;
  if (request.term < server.currentTerm) return `its term ${request.term} is over`;
  if (server.membership.latest.servers.length > 0 && suffrage !== "voter") {
    return "it has no vote itself";
  }
  if (server.origin.recovery !== null) return stillRecovering;
  // What it has to write first may take for ever: a vote that is promised here might never come.
  if (!server.isHardStateDurable) return "this node has still to write its last vote or term";
  if (!isUpToDate(server, request.last)) return "its log is behind";
  if (isElectionOpen(server, request)) {
    return `the vote of term ${request.term} has just gone to ${server.votedFor}`;
  }
  if (standsBack(server, request)) return "it is not ready to lead, and this node is (P5)";
  return goesFirst(server, request) ? "this node campaigns too, and goes first" : null;
}

/**
 * Whether this server has just voted for another in that very term: then a campaign could only split
 * the votes. For a heartbeat timeout, in which the other has won or not; after it the sender must be let
 * go on, since only by losing a real ballot does it learn that its term is spent.
 */
function isElectionOpen(server: RaftServer, request: RequestPreVoteRequest): boolean {
  if (request.term !== server.currentTerm || isVoteOpen(server, request.from)) return false;
  return server.nowMs - server.votedMs < server.options.heartbeatTimeoutMs;
}

function isVoteOpen(server: RaftServer, candidateId: ServerId): boolean {
  return server.votedFor === null || server.votedFor === candidateId;
}

/**
 * Whether this server, which asks for pre-votes itself, comes before the other: by readiness, by log,
 * and among equals by id. Not for long: a server that nobody hears must not keep others from leading.
 */
function goesFirst(server: RaftServer, request: RequestPreVoteRequest): boolean {
  const { role, options } = server;
  if (role.kind !== "preCandidate") return false;
  if (server.nowMs - role.sinceMs >= options.heartbeatTimeoutMs) return false;
  const otherIsReady = request.readiness?.isReady !== false;
  if (server.readiness.isReady !== otherIsReady) return server.readiness.isReady;
  const { last } = server.log;
  const isEqual = last.term === request.last.term && last.index === request.last.index;
  return isEqual && server.id < request.from;
}

/** Ready servers keep an unready one from leading, but not for ever (P5). */
function standsBack(server: RaftServer, request: RequestPreVoteRequest): boolean {
  if (request.readiness === undefined || request.readiness.isReady) return false;
  if (!server.readiness.isReady || !server.isVoter) return false;
  const leaderlessMs = server.nowMs - server.leaderContactMs;
  return leaderlessMs < unreadyWaitMs(server);
}

/** Raft §5.4.1: the later term wins, then the longer log. */
function isUpToDate(server: RaftServer, candidateLast: EntryId): boolean {
  const { last } = server.log;
  if (candidateLast.term !== last.term) return candidateLast.term > last.term;
  return candidateLast.index >= last.index;
}

/** No campaign: a server with an empty disk asks how this one stands. */
function tellStanding(server: RaftServer, request: RequestPreVoteRequest): void {
  server.sendNow({
    kind: "requestPreVoteResponse",
    to: request.from,
    id: request.id,
    term: server.currentTerm,
    granted: false,
    standing: standingOf(server),
  });
}

function refused(
  server: RaftServer,
  request: RequestVoteRequest | RequestPreVoteRequest,
  reason: string,
): void {
  server.emit({
    kind: "voteRefused",
    term: request.term,
    candidateId: request.from,
    isPreVote: request.kind === "requestPreVoteRequest",
    reason,
  });
}
