/** Elections, votes, leases and hand-overs that break the protocol (Raft §5.2, §5.4; thesis §6.4, §9.6). */

import { type Mutant, mutant } from "./mutant.ts";

export const electionMutants: readonly Mutant[] = [
  mutant({
    id: "vote-before-fsync",
    breaks: "a vote is given before it is on disk",
    edits: [
      {
        file: "raft/voting.ts",
        find: 'server.sendAfterHardState({\n    kind: "requestVoteResponse"',
        replace: 'server.sendNow({\n    kind: "requestVoteResponse"',
      },
    ],
    caughtAs: ["promised means durable"],
  }),
  mutant({
    id: "campaign-before-fsync",
    breaks: "a candidate counts its own vote before that is on disk",
    edits: [
      {
        file: "raft/campaign.ts",
        find: "if (server.isHardStateDurable) recordVote(",
        replace: "recordVote(",
      },
    ],
    caughtAs: ["promised means durable"],
  }),
  mutant({
    id: "elected-without-own",
    breaks: "a candidate wins with the votes of others, while its own is not on disk",
    edits: [
      {
        file: "raft/campaign.ts",
        find: 'result === "won" && role.granted.has(server.id)',
        replace: 'result === "won"',
      },
    ],
    caughtAs: ["promised means durable"],
  }),
  mutant({
    id: "vote-not-stored",
    breaks: "a term is stored without the vote given in it",
    edits: [
      {
        file: "raft/server.ts",
        find: "persist.hardState = { currentTerm, votedFor };",
        replace: "persist.hardState = { currentTerm, votedFor: null };",
      },
    ],
    caughtAs: ["promised means durable"],
  }),
  mutant({
    id: "vote-twice",
    breaks: "whoever asks gets a vote, also the second one of a term",
    edits: [
      {
        file: "raft/voting.ts",
        find: "if (!isVoteOpen(server, request.from)) {",
        replace: "if (false) {",
      },
    ],
    // The product itself stops before its votes can leave.
    caughtAs: ["one vote a term", "no invariant broken"],
  }),
  mutant({
    id: "vote-kept-in-new-term",
    breaks: "a new term begins with the vote of the one before",
    edits: [
      {
        file: "raft/follower.ts",
        find: "server.setHardState({ currentTerm: term, votedFor: null });",
        replace: "server.setHardState({ currentTerm: term, votedFor: server.votedFor });",
      },
    ],
    caughtAs: ["progress"],
  }),
  mutant({
    id: "no-log-comparison",
    breaks: "a vote is given whatever the candidate's log lacks",
    edits: [
      {
        file: "raft/voting.ts",
        find: 'return isUpToDate(server, request.last) ? null : "its log is behind";',
        replace: "return null;",
      },
      {
        file: "raft/voting.ts",
        find: 'if (!isUpToDate(server, request.last)) return "its log is behind";',
        replace: "",
      },
    ],
    caughtAs: ["a leader has all that is committed"],
  }),
  mutant({
    id: "longest-log-wins",
    breaks: "logs are compared by their lengths, whatever their last terms",
    edits: [
      {
        file: "raft/voting.ts",
        find: "if (candidateLast.term !== last.term) return candidateLast.term > last.term;",
        replace: "",
      },
    ],
    caughtAs: ["a leader has all that is committed", "committed stays committed"],
    seedsMax: 1_000,
  }),
  mutant({
    id: "elected-by-fewer",
    breaks: "one vote less than a majority elects",
    edits: [
      {
        file: "raft/quorum.ts",
        find: "const needed = majorityOf(voters.length);",
        replace: "const needed = majorityOf(voters.length) - 1;",
      },
    ],
    caughtAs: ["one leader a term", "no campaign without pre-votes"],
  }),
  mutant({
    id: "no-pre-vote",
    breaks: "a campaign begins without pre-votes",
    edits: [
      {
        file: "raft/campaign.ts",
        find: "  becomePreCandidate(server);\n}",
        replace: "  becomeCandidate(server, false);\n}",
      },
    ],
    caughtAs: ["no campaign without pre-votes"],
  }),
  mutant({
    id: "pre-vote-against-leader",
    breaks: "a pre-vote is given although a leader is heard",
    edits: [
      {
        file: "raft/voting.ts",
        find: "if (leaderId !== null && leaderId !== request.from) return",
        replace: "if (false) return",
      },
    ],
    caughtAs: ["no campaign without pre-votes"],
  }),
  mutant({
    id: "old-term-leads",
    breaks: "a follower takes entries from the leader of a term that is over",
    edits: [
      {
        file: "raft/follower.ts",
        find: "if (term < server.currentTerm) return false;",
        replace: "",
      },
      {
        file: "raft/follower.ts",
        find: 'assert(server.leader === null, "a term has one leader (Raft §5.2)", {\n      term,\n      leaderId,\n      known: server.leader?.id,\n    });',
        replace: "",
      },
    ],
    caughtAs: ["committed stays committed", "no invariant broken", "promised means durable"],
  }),
  mutant({
    id: "ready-help-unready",
    breaks: "ready servers give their pre-votes to one that is not (P5)",
    edits: [
      {
        file: "raft/voting.ts",
        find: 'if (standsBack(server, request)) return "it is not ready to lead, and this node is (P5)";',
        replace: "",
      },
    ],
    caughtAs: ["the ready lead"],
  }),
  mutant({
    id: "unready-leader-stays",
    breaks: "a leader that is not ready does not hand over (P5)",
    edits: [
      {
        file: "raft/transfer.ts",
        find: "if (isFit || leadership.transfer !== null) return;",
        replace: "return;",
      },
    ],
    caughtAs: ["progress"],
  }),
  mutant({
    id: "no-check-quorum",
    breaks: "a leader that no majority answers goes on leading",
    edits: [
      {
        file: "raft/leader.ts",
        find: "if (nowMs < quorumDeadlineMs(server, leadership)) return;",
        replace: "return;",
      },
      {
        file: "raft/core.ts",
        find: "Math.min(leadership.nextHeartbeatMs, quorumDeadlineMs(server, leadership))",
        replace: "leadership.nextHeartbeatMs",
      },
    ],
    caughtAs: ["a leader without a majority steps down"],
  }),
  mutant({
    id: "no-check-replication",
    breaks: "a leader that is heard and replicates nothing goes on leading",
    edits: [
      {
        file: "raft/leader.ts",
        find: "if (stalledMs < limitMs + slowestTransferMs(server, followers.length)) return;",
        replace: "return;",
      },
    ],
    caughtAs: ["progress"],
    seedsMax: 500,
  }),
  mutant({
    id: "lease-too-long",
    breaks: "a lease lasts longer than followers wait for their leader",
    edits: [
      {
        file: "raft/lease.ts",
        find: "return ackedStamp + server.options.leaderLeaseTimeoutMs;",
        replace: "return ackedStamp + 3 * server.options.heartbeatTimeoutMs;",
      },
    ],
    caughtAs: ["one lease at a time", "histories are linearizable"],
    seedsMax: 500,
  }),
  mutant({
    id: "lease-from-arrival",
    breaks: "a lease counts from when an answer came, not from when it was asked for",
    edits: [
      {
        file: "raft/answers.ts",
        find: "progress.ackedStamp = Math.max(progress.ackedStamp, response.sentAtMs);",
        replace: "progress.ackedStamp = Math.max(progress.ackedStamp, server.nowMs);",
      },
    ],
    caughtAs: ["one lease at a time", "reads are current", "histories are linearizable"],
    seedsMax: 500,
  }),
  mutant({
    id: "lease-while-handing-over",
    breaks: "a leader trusts its lease after it has told another to campaign",
    edits: [
      {
        file: "raft/lease.ts",
        find: "if (hasSentTimeoutNow(leadership)) return Number.NEGATIVE_INFINITY;",
        replace: "",
      },
    ],
    caughtAs: ["one lease at a time", "histories are linearizable"],
    seedsMax: 3_000,
  }),
  mutant({
    id: "read-by-old-answer",
    breaks: "a read is confirmed by answers to what was sent before it came",
    edits: [
      {
        file: "raft/lease.ts",
        find: "ackedStamp > read.afterStamp;",
        replace: "ackedStamp > Number.NEGATIVE_INFINITY;",
      },
    ],
    caughtAs: ["reads are current", "histories are linearizable"],
    seedsMax: 500,
  }),
  mutant({
    id: "read-before-own-commit",
    breaks: "a new leader confirms reads before an entry of its own is committed",
    edits: [
      {
        file: "raft/lease.ts",
        find: " || server.commitIndex < leadership.firstIndex) return;",
        replace: ") return;",
      },
    ],
    caughtAs: ["reads are current", "histories are linearizable"],
  }),
  mutant({
    id: "transfer-without-catching-up",
    breaks: "leadership is handed to a server that lacks entries",
    edits: [
      {
        file: "raft/transfer.ts",
        find: "if (target.matchIndex < server.log.lastIndex) return replicate(server, target);",
        replace: "",
      },
    ],
    caughtAs: ["leadership is handed to the caught up"],
  }),
  mutant({
    id: "patient-followers",
    breaks: "a silent leader is waited for ten times as long as it should be",
    edits: [
      {
        file: "raft/follower.ts",
        find: "patience * server.spread(server.options.heartbeatTimeoutMs)",
        replace: "10 * patience * server.spread(server.options.heartbeatTimeoutMs)",
      },
    ],
    caughtAs: ["progress"],
    seedsMax: 500,
  }),
  mutant({
    id: "wide-spread",
    breaks: "timeouts are drawn from thirty times the spread",
    edits: [
      {
        file: "raft/server.ts",
        find: "durationMs * (1 + this.dependencies.random())",
        replace: "durationMs * (1 + 30 * this.dependencies.random())",
      },
    ],
    caughtAs: ["progress"],
    seedsMax: 500,
  }),
];
