/** Logs, commitment, snapshots and configurations that break the protocol (Raft §5.3, §5.4, §7). */

import { type Mutant, mutant } from "./mutant.ts";

export const replicationMutants: readonly Mutant[] = [
  mutant({
    id: "ack-before-fsync",
    breaks: "a follower acknowledges entries before they are on its disk",
    edits: [
      {
        file: "raft/follower.ts",
        find: 'server.sendAfterLog({\n      kind: "appendEntriesResponse"',
        replace: 'server.sendNow({\n      kind: "appendEntriesResponse"',
      },
    ],
    caughtAs: ["promised means durable"],
  }),
  mutant({
    id: "heartbeat-before-fsync",
    breaks: "a heartbeat is answered in a term that is not on disk",
    edits: [
      {
        file: "raft/follower.ts",
        find: 'server.sendAfterHardState({\n    kind: "heartbeatResponse"',
        replace: 'server.sendNow({\n    kind: "heartbeatResponse"',
      },
    ],
    caughtAs: ["promised means durable"],
  }),
  mutant({
    id: "snapshot-ack-before-fsync",
    breaks: "a follower acknowledges a snapshot before it is on its disk",
    edits: [
      {
        file: "raft/follower.ts",
        find: 'server.sendAfterLog({\n    kind: "installSnapshotResponse"',
        replace: 'server.sendNow({\n    kind: "installSnapshotResponse"',
      },
    ],
    caughtAs: ["promised means durable"],
  }),
  mutant({
    id: "own-copy-counted-early",
    breaks: "a leader counts its own copy before it is on its disk",
    edits: [
      {
        file: "raft/leader.ts",
        find: "storedIndex(server, leadership, log.durableIndex)",
        replace: "storedIndex(server, leadership, log.lastIndex)",
      },
    ],
    caughtAs: ["committed stays committed"],
  }),
  mutant({
    id: "sent-counted-as-stored",
    breaks: "a leader counts what it has sent for what is stored",
    edits: [
      {
        file: "raft/progress.ts",
        find: "this.pace.inFlight.push({ lastIndex, bytes });",
        replace:
          "this.pace.inFlight.push({ lastIndex, bytes });\n    this.matchIndex = Math.max(this.matchIndex, lastIndex);",
      },
    ],
    caughtAs: ["committed stays committed"],
  }),
  mutant({
    id: "committed-by-fewer",
    breaks: "one copy less than a majority commits",
    edits: [
      {
        file: "raft/quorum.ts",
        find: "if (reached >= majority)",
        replace: "if (reached >= Math.max(1, majority - 1))",
      },
    ],
    caughtAs: ["committed stays committed"],
  }),
  mutant({
    id: "older-term-by-counting",
    breaks: "an entry of an older term is committed by counting its copies (Fig. 8)",
    edits: [
      {
        file: "raft/leader.ts",
        find: "if (stored <= commitIndex || log.termAt(stored) !== server.currentTerm) return;",
        replace: "if (stored <= commitIndex) return;",
      },
    ],
    caughtAs: ["committed stays committed"],
  }),
  mutant({
    id: "commit-beyond-match",
    breaks: "a follower commits what it has not compared with its leader's log",
    edits: [
      {
        file: "raft/follower.ts",
        find: "Math.min(request.leaderCommit, matchIndex)",
        replace: "Math.min(request.leaderCommit, server.log.lastIndex)",
      },
    ],
    caughtAs: ["committed stays committed"],
    seedsMax: 3_000,
  }),
  mutant({
    id: "wrong-previous-term",
    breaks: "entries are taken after a previous one of another term",
    edits: [
      {
        file: "raft/follower.ts",
        find: "const matches = log.matches(prev);",
        replace: "const matches = log.termAt(prev.index) !== null;",
      },
    ],
    caughtAs: ["logs match", "committed stays committed"],
    seedsMax: 500,
  }),
  mutant({
    id: "no-truncation",
    breaks: "entries that conflict with the leader's are kept",
    edits: [
      {
        file: "raft/follower.ts",
        find: "(entry) => entry.index > commitIndex && !log.matches(entry)",
        replace: "(entry) => entry.index > log.lastIndex",
      },
    ],
    caughtAs: ["logs match", "committed stays committed"],
    seedsMax: 500,
  }),
  mutant({
    id: "leader-truncates",
    breaks: "a new leader removes from its log what is not committed yet",
    edits: [
      {
        file: "raft/leader.ts",
        find: "const { log, nowMs } = server;\n  const leadership: Leadership = {",
        replace:
          "const { log, nowMs } = server;\n  if (log.lastIndex > server.commitIndex) server.truncateFrom(server.commitIndex + 1);\n  const leadership: Leadership = {",
      },
    ],
    caughtAs: ["a leader only appends"],
  }),
  mutant({
    id: "leader-overwrites",
    breaks: "a leader replaces its last entry, if that is not committed, by what is proposed next",
    edits: [
      {
        file: "raft/leader.ts",
        find: "  const entries: Entry[] = [];\n  for (const { proposalId, data, appendedAt } of commands) {",
        replace:
          "  const entries: Entry[] = [];\n  if (commands.length > 0 && log.lastIndex > Math.max(server.commitIndex, role.leadership.firstIndex)) server.truncateFrom(log.lastIndex);\n  for (const { proposalId, data, appendedAt } of commands) {",
      },
    ],
    caughtAs: ["a leader only appends"],
  }),
  mutant({
    id: "truncates-what-agrees",
    breaks: "a late AppendEntries truncates entries that agree with it",
    edits: [
      {
        file: "raft/follower.ts",
        find: "(entry) => entry.index > commitIndex && !log.matches(entry)",
        replace: "(entry) => entry.index > commitIndex",
      },
    ],
    caughtAs: ["committed stays committed"],
  }),
  mutant({
    id: "durable-after-truncation",
    breaks: "what replaces truncated entries is held for durable before it is",
    edits: [
      {
        file: "raft/log.ts",
        find: "this.#durableIndex = Math.min(this.#durableIndex, index - 1);",
        replace: "",
      },
      {
        file: "raft/core.ts",
        find: 'assert(log.durableIndex <= log.lastIndex, "what is durable is in the log");',
        replace: "",
      },
    ],
    caughtAs: ["committed stays committed"],
    seedsMax: 2_000,
  }),
  mutant({
    id: "proposal-of-another-term",
    breaks: "a leader takes proposals that were meant for another term",
    edits: [
      {
        file: "raft/leader.ts",
        find: 'role.kind !== "leader" || currentTerm !== term',
        replace: 'role.kind !== "leader"',
      },
    ],
    caughtAs: ["proposals are answered truly"],
  }),
  mutant({
    id: "barrier-a-block",
    breaks: "each block is followed by a barrier (P3)",
    edits: [
      {
        file: "raft/leader.ts",
        find: "server.appendEntries(entries);",
        replace:
          'server.appendEntries(entries);\n  server.appendEntries([{ index: log.lastIndex + 1, term: currentTerm, kind: "barrier", data: null, extensions: null, appendedAt: null }]);',
      },
    ],
    caughtAs: ["one entry a block"],
  }),
  mutant({
    id: "first-configuration-lacks-one",
    breaks: "the first leader's configuration leaves a voter out",
    edits: [
      {
        file: "raft/leader.ts",
        find: "const servers = latest.servers.map((member) => ({",
        replace:
          "const servers = latest.servers.slice(0, Math.max(1, latest.servers.length - 1)).map((member) => ({",
      },
    ],
    caughtAs: ["committed stays committed", "progress"],
  }),
  mutant({
    id: "snapshot-without-configuration",
    breaks: "an installed snapshot does not bring its configuration",
    edits: [{ file: "raft/server.ts", find: "this.membership.install(snapshot);", replace: "" }],
    caughtAs: ["snapshots stand for the log", "progress"],
    seedsMax: 500,
  }),
  mutant({
    id: "snapshot-over-agreeing-log",
    breaks: "a snapshot replaces a log that agrees with it and goes on",
    edits: [
      {
        file: "raft/follower.ts",
        find: "if (server.log.matches(snapshot.last)) {",
        replace: "if (false) {",
      },
    ],
    caughtAs: ["committed stays committed", "snapshots stand for the log"],
    seedsMax: 3_000,
  }),
  mutant({
    id: "compacts-too-far",
    breaks: "the log loses an entry that its snapshot does not cover",
    edits: [
      {
        file: "consensus/snapshotter.ts",
        find: "Math.min(last.index - this.#options.trailingLogs, this.#neededAfter());",
        replace: "last.index + 1;",
      },
    ],
    caughtAs: ["snapshots stand for the log"],
  }),
  mutant({
    id: "match-forgotten-by-old-answer",
    breaks: "an old answer makes a leader forget what a follower has acknowledged since",
    edits: [
      {
        file: "raft/replication.ts",
        find: "response.lastLogIndex >= matchIndex || response.sentAtMs <= progress.matchedStamp",
        replace: "response.lastLogIndex >= matchIndex",
      },
    ],
    caughtAs: ["no match is forgotten"],
  }),
  mutant({
    id: "refusal-not-sent-again",
    breaks: "what a follower refused is never sent again",
    edits: [
      {
        file: "raft/progress.ts",
        find: 'this.pace = { kind: "probe", nextIndex, awaitingReply: false, retryAtMs, failures };',
        replace:
          'this.pace = { kind: "probe", nextIndex, awaitingReply: true, retryAtMs: failures > 0 ? Number.POSITIVE_INFINITY : retryAtMs, failures };',
      },
    ],
    caughtAs: ["progress"],
  }),
  mutant({
    id: "appends-without-limit",
    breaks: "a follower is sent however many AppendEntries it has not answered (P8)",
    edits: [
      {
        file: "raft/progress.ts",
        find: "this.pace.inFlight.length < appendsInFlightMax &&",
        replace: "",
      },
    ],
    caughtAs: ["bounded memory"],
    seedsMax: 500,
  }),
  mutant({
    id: "bytes-without-limit",
    breaks: "a follower is sent however many bytes it has not answered (P8)",
    edits: [
      {
        file: "raft/progress.ts",
        find: "&& this.pace.inFlightBytes < bytesInFlightMax",
        replace: "",
      },
    ],
    caughtAs: ["bounded memory"],
    seedsMax: 500,
  }),
  mutant({
    id: "commit-notice-without-timer",
    breaks: "a commit that no entry carries is told when something else comes up",
    edits: [
      {
        file: "raft/replication.ts",
        find: "Math.min(pace.dueMs, commitNoticeMs);",
        replace: "pace.dueMs;",
      },
    ],
    caughtAs: ["commits are told in time"],
  }),
];
