/**
 * RaftEvent -> the line that operators grep for, in hashicorp/raft's phrases. The lines of the
 * candidate, of the election and of both joined states come out character by character, so they carry no further fact.
 */
import { unreachable } from "../base/assert.ts";
import type { RaftEvent } from "../raft/event.ts";
import type { Configuration, ServerId } from "../raft/types.ts";
import type { Facts, LogLevel } from "./log-format.ts";
import type { Narration } from "./narration.ts";
import { line, once, repeated } from "./narration.ts";

export function describeRaftEvent(event: RaftEvent, nodeId: ServerId): Narration {
  switch (event.kind) {
    // Not "entering follower state": that line promises that the node has joined.
    case "becameFollower":
      return raft("debug", { term: event.term, reason: event.reason }, "became follower");
    case "followingLeader":
      return raft("info", { leader: event.leaderId }, "entering follower state");
    case "becamePreCandidate":
      return raft("debug", { term: event.term }, "asking for pre-votes");
    case "becameCandidate":
      return raft("info", { node: nodeId }, "entering candidate state");
    case "electionWon":
      return raft("info", { tally: event.tally }, "election won");
    case "becameLeader":
      return raft("info", { leader: nodeId }, "entering leader state");
    case "electionTimeout":
      return describeElectionTimeout(event.term, event.silentMs);
    case "leaderProcessGone":
      return raft(
        "warn",
        { leader: event.leaderId, term: event.term },
        "leader process is gone, starting election",
      );
    case "quorumLost":
      return raft(
        "warn",
        { term: event.term, silent: event.silent },
        "failed to contact quorum of nodes, stepping down",
      );
    case "replicationStalled": {
      const { term, commitIndex: commit } = event;
      const [stalledMs, standBackMs] = [Math.round(event.stalledMs), Math.round(event.standBackMs)];
      const sentence = "others answer and store nothing that is sent, stepping down";
      return raft("error", { term, commit, stalledMs, standBackMs }, sentence);
    }
    case "voteRefused":
      return describeRefusal(event);
    case "logTruncated":
      return raft("warn", { from: event.fromIndex, leader: event.leaderId }, "clearing log suffix");
    case "configurationChanged":
      return describeConfiguration(event.index, event.configuration);
    case "transferStarted":
      return raft("info", { to: event.targetId }, "starting leadership transfer");
    case "transferRefused":
      return raft("warn", { reason: event.reason }, "leadership transfer refused");
    case "configurationRefused":
      return raft("warn", { reason: event.reason }, "configuration change refused");
    case "transferEnded":
      return describeTransfer(event.targetId, event.outcome);
    case "snapshotSent":
      return raft("info", { peer: event.peerId, index: event.index }, "sending snapshot to peer");
    case "snapshotAccepted": {
      const { peerId: peer, index, durationMs } = event;
      const facts = { peer, index, durationMs: Math.round(durationMs) };
      return raft("info", facts, "peer has installed snapshot");
    }
    case "snapshotFailed": {
      const { peerId: peer, index, failures } = event;
      return raft("warn", { peer, index, failures }, "sending snapshot failed, trying again");
    }
    case "snapshotInstalled":
      return raft(
        "info",
        { leader: event.leaderId, index: event.index },
        "installed remote snapshot",
      );
    case "snapshotTaken": {
      const { index, term, sizeBytes: bytes, durationMs, entriesRemoved } = event;
      const facts = { index, term, bytes, durationMs: Math.round(durationMs), entriesRemoved };
      return raft("info", facts, "snapshot taken");
    }
    case "snapshotTooLarge":
      return raft(
        "error",
        { index: event.index, bytes: event.sizeBytes, limit: event.limitBytes },
        "snapshot is too large to be sent, the log grows: stop all nodes, lower cluster.tx_identity_window on each, start them",
      );
    case "snapshotLacksRoom":
      return raft(
        "error",
        {
          index: event.index,
          bytes: event.sizeBytes,
          free: event.freeBytes,
          needed: event.neededBytes,
        },
        "no room for a snapshot, the log grows: free some space on the disk of raft_dir",
      );
    case "snapshotDamaged":
      return raft(
        "error",
        { path: event.path, reason: event.reason },
        "snapshot is damaged, using an older one",
      );
    case "diskSlow": {
      const [takesMs, limitMs] = [Math.round(event.takesMs), Math.round(event.limitMs)];
      return raft("warn", { takesMs, limitMs }, "the disk of raft_dir is slow");
    }
    case "diskWell":
      return raft("info", {}, "the disk of raft_dir is fast enough again");
    case "hostHangs": {
      const silentMs = Math.round(event.silentMs);
      return raft("error", { silentMs }, "the main thread hangs, this node is not ready to lead");
    }
    case "hostGoesOn":
      return raft("info", { hungMs: Math.round(event.hungMs) }, "the main thread goes on");
    case "messageRefused": {
      const { from: peer, message, reason } = event;
      const sentence = "refused a message that contradicts the protocol";
      return repeated(`refused/${peer}`, raft("error", { peer, kind: message, reason }, sentence));
    }
    case "surveyBegan":
    case "surveyWaits":
    case "bootstrapped":
    case "recovering":
    case "recovered":
      return describeBeginning(event);
    case "matchForgotten":
      return raft(
        "warn",
        { peer: event.peerId, acknowledged: event.matchIndex },
        "peer lost entries it had acknowledged, sending them again",
      );
    default:
      return unreachable(event);
  }
}

type Beginning = Extract<
  RaftEvent,
  { kind: "surveyBegan" | "surveyWaits" | "bootstrapped" | "recovering" | "recovered" }
>;

/** How a node with an empty raft_dir begins. */
function describeBeginning(event: Beginning): Narration {
  switch (event.kind) {
    case "surveyBegan":
      return raft("info", { peers: event.peers }, "raft_dir is empty, asking the other members");
    case "surveyWaits":
      return raft("warn", { reason: event.reason }, "waiting, since raft_dir is empty");
    case "bootstrapped": {
      const { term, baseHeight } = event;
      return raft("info", { term, baseHeight }, "beginning a new log");
    }
    case "recovering": {
      const { minTerm, untilIndex, lastIndex: index } = event;
      const facts = { index, untilIndex, minTerm };
      return raft(
        "warn",
        facts,
        "recovering: raft_dir was lost, no vote until the log is regained",
      );
    }
    case "recovered": {
      const { term, lastIndex: index } = event;
      return raft("info", { index, term }, "recovered: the log is regained, voting again");
    }
    default:
      return unreachable(event);
  }
}

/** A node cut off from a majority times out again and again. */
function describeElectionTimeout(term: number, silentMs: number): Narration {
  const facts = { term, silentMs: Math.round(silentMs) };
  const sentence = "heartbeat timeout reached, starting election";
  return repeated("electionTimeout", raft("warn", facts, sentence));
}

function describeRefusal(event: Extract<RaftEvent, { kind: "voteRefused" }>): Narration {
  const { candidateId: candidate, term, reason } = event;
  const sentence = event.isPreVote ? "rejecting pre-vote request" : "rejecting vote request";
  // A candidate asks for a pre-vote several times a second, in the same term, until it is given one.
  const key = `voteRefused/${candidate}/${event.isPreVote}/${term}/${reason}`;
  return once(key, raft("info", { candidate, term, reason }, sentence));
}

function describeConfiguration(index: number, { servers }: Configuration): Narration {
  const idsOf = (isVoter: boolean) =>
    servers.filter(({ suffrage }) => (suffrage === "voter") === isVoter).map(({ id }) => id);
  const nonvoters = idsOf(false);
  return raft(
    "info",
    { index, voters: idsOf(true), nonvoters: nonvoters.length === 0 ? undefined : nonvoters },
    "configuration changed",
  );
}

function describeTransfer(to: ServerId, outcome: "done" | "timeout" | "aborted"): Narration {
  return outcome === "done"
    ? raft("info", { to }, "leadership transfer done")
    : raft("warn", { to, outcome }, "leadership transfer failed");
}

function raft(level: LogLevel, facts: Facts, sentence: string): Narration {
  return line("raft", level, facts, sentence);
}
