/** RaftEvent -> the counters that it moves. What a gauge shows comes with the RaftReport. */
import { unreachable } from "../base/assert.ts";
import type { RaftEvent } from "../raft/event.ts";
import type { Term } from "../raft/types.ts";
import type { Metrics } from "./metrics.ts";

export class RaftEventCounter {
  readonly #metrics: Metrics;
  /** The term of the last leader that this node knew; null until it knew one. */
  #leaderTerm: Term | null = null;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  count(event: RaftEvent): void {
    const { raft } = this.#metrics;
    switch (event.kind) {
      case "becameFollower":
        raft.becameFollower.inc();
        break;
      case "becamePreCandidate":
        raft.becamePreCandidate.inc();
        break;
      case "becameCandidate":
        raft.becameCandidate.inc();
        break;
      case "followingLeader":
        this.#knowLeaderOf(event.term);
        break;
      case "becameLeader":
        raft.becameLeader.inc();
        this.#knowLeaderOf(event.term);
        break;
      case "electionWon":
        // Counted once the term's first entry is committed, as becameLeader.
        break;
      default:
        this.#countOther(event);
    }
  }

  #countOther(event: Exclude<RaftEvent, { kind: RoleEventKind }>): void {
    const { raft, process } = this.#metrics;
    switch (event.kind) {
      case "electionTimeout":
        raft.electionTimeouts.inc();
        break;
      case "leaderProcessGone":
        raft.leaderProcessGone.inc();
        break;
      case "quorumLost":
        raft.quorumLost.inc();
        break;
      case "replicationStalled":
        raft.replicationStalled.inc();
        break;
      case "voteRefused":
        raft.votesRefused.inc({ kind: event.isPreVote ? "pre_vote" : "vote" });
        break;
      case "logTruncated":
        raft.logTruncations.inc();
        break;
      case "transferRefused":
        raft.leadershipTransfers.inc({ outcome: "refused" });
        break;
      case "hostHangs":
        process.mainThreadHung.inc();
        break;
      case "hostGoesOn":
      case "transferStarted":
      case "configurationChanged":
      case "configurationRefused":
      case "surveyBegan":
      case "surveyWaits":
      case "bootstrapped":
      case "recovering":
      case "recovered":
        break;
      case "transferEnded":
        raft.leadershipTransfers.inc({ outcome: event.outcome });
        break;
      case "snapshotSent":
        raft.snapshotsSent.inc({ peer_id: event.peerId });
        break;
      case "snapshotAccepted":
        raft.snapshotSendDuration.observe(event.durationMs / 1000);
        break;
      case "snapshotFailed":
        raft.snapshotSendFailures.inc({ peer_id: event.peerId });
        break;
      case "snapshotInstalled":
        raft.snapshotsInstalled.inc();
        break;
      case "snapshotTaken":
        raft.snapshotsTaken.inc();
        raft.snapshotDuration.observe(event.durationMs / 1000);
        raft.snapshotSize.set(event.sizeBytes);
        raft.logEntriesRemoved.inc(event.entriesRemoved);
        break;
      case "snapshotTooLarge":
        raft.snapshotsTooLarge.inc();
        break;
      case "snapshotLacksRoom":
        raft.snapshotsLackingRoom.inc();
        break;
      case "snapshotDamaged":
        raft.snapshotsDamaged.inc();
        break;
      case "diskSlow":
        process.diskSlow.set({ directory: "raft" }, 1);
        process.diskFoundSlow.inc({ directory: "raft" });
        break;
      case "diskWell":
        process.diskSlow.set({ directory: "raft" }, 0);
        break;
      case "messageRefused":
        raft.connectionsRefused.inc({ reason: "garbage" });
        break;
      case "matchForgotten":
        raft.matchesForgotten.inc({ peer_id: event.peerId });
        break;
      default:
        unreachable(event);
    }
  }

  #knowLeaderOf(term: Term): void {
    const hadAnother = this.#leaderTerm !== null && this.#leaderTerm !== term;
    if (hadAnother) this.#metrics.raft.leaderChanges.inc();
    this.#leaderTerm = term;
  }
}

type RoleEventKind =
  | "becameFollower"
  | "becamePreCandidate"
  | "becameCandidate"
  | "followingLeader"
  | "electionWon"
  | "becameLeader";
