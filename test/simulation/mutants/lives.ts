/** What breaks between a node and its clients, its disk and its next life (P2, P6, P7, P8). */

import { lostMemory } from "../violation.ts";
import { type Mutant, mutant } from "./mutant.ts";

export const lifeMutants: readonly Mutant[] = [
  mutant({
    id: "answered-before-commit",
    breaks: "a proposal is answered with committed when it is only in the log (P7)",
    edits: [
      {
        file: "consensus/driver.ts",
        find: "this.#settleProposals(ready.commitIndex);",
        replace: "this.#settleProposals(this.#core.status.lastIndex);",
      },
    ],
    caughtAs: ["proposals are answered truly"],
  }),
  mutant({
    id: "lost-called-committed",
    breaks: "a proposal whose place another entry took is answered with committed",
    edits: [
      {
        file: "consensus/driver.ts",
        find: "const isCommitted = this.#core.termAt(index) === term;",
        replace: "const isCommitted = true;",
      },
    ],
    caughtAs: ["proposals are answered truly"],
  }),
  mutant({
    id: "applied-before-commit",
    breaks: "entries are executed when they are on the own disk, before they are committed (P2)",
    edits: [
      {
        file: "raft/core.ts",
        find: "const { log, commitIndex } = this.#server;\n    if (from > commitIndex) return [];",
        replace:
          "const { log } = this.#server;\n    const commitIndex = log.durableIndex;\n    if (from > commitIndex) return [];",
      },
    ],
    caughtAs: ["one block at a height", "no gap and no repeat"],
  }),
  mutant({
    id: "applied-twice-after-restart",
    breaks: "a restarted node executes its last block once more",
    edits: [
      {
        file: "consensus/delivery.ts",
        find: "this.#deliveredIndex = appliedIndex;",
        replace: "this.#deliveredIndex = Math.max(0, appliedIndex - 1);",
      },
    ],
    caughtAs: ["no gap and no repeat"],
  }),
  mutant({
    id: "dropped-when-slow",
    breaks: "entries that a slow executor has no room for are dropped (P8)",
    edits: [
      {
        file: "consensus/delivery.ts",
        find: "this.#advance(last.index, bytes);",
        replace: "this.#advance(core.commitIndex, bytes);",
      },
    ],
    caughtAs: ["no gap and no repeat"],
    seedsMax: 500,
  }),
  mutant({
    id: "no-window",
    breaks: "a slow executor is given everything at once (P8)",
    edits: [
      {
        file: "consensus/delivery.ts",
        find: "this.#unappliedBytes < applyWindowMaxBytes) {",
        replace: "true) {",
      },
    ],
    caughtAs: ["bounded memory"],
    seedsMax: 500,
  }),
  mutant({
    id: "sends-before-it-persists",
    breaks: "messages do not wait for the write that they depend on",
    edits: [
      {
        file: "consensus/durability.ts",
        find: "if (outbound.afterSequence <= this.#durableSequence) this.#dependencies.send(outbound.message);",
        replace: "if (true) this.#dependencies.send(outbound.message);",
      },
    ],
    caughtAs: ["promised means durable"],
  }),
  mutant({
    id: "slow-disk-ignored",
    breaks: "a node whose disk is slow says that it is ready, and leads on (P5)",
    edits: [
      {
        file: "consensus/driver.ts",
        find: "readiness.isReady && this.slowDisk === null;",
        replace: "readiness.isReady;",
      },
    ],
    caughtAs: ["progress"],
  }),
  mutant({
    id: "stall-seen-when-over",
    breaks: "a write counts as slow when it has ended, and not while it is under way (P5)",
    edits: [
      {
        file: "storage/disk-watch.ts",
        find: "this.#averageWith(atMs - oldestMs, atMs)",
        replace: "0",
      },
    ],
    caughtAs: ["progress"],
  }),
  mutant({
    id: "recovered-at-once",
    breaks: "a wiped node is content with the first entries that it gets (P6)",
    edits: [
      {
        file: "raft/recovery.ts",
        find: "if (!isLeadersOwn || !isLongEnough || matchIndex < leaderCommit) return;",
        replace: "",
      },
    ],
    caughtAs: lostMemory,
    wipesOnly: true,
    seedsMax: 1_000,
  }),
  mutant({
    id: "recovering-votes",
    breaks: "a wiped node votes while it regains its log (P6)",
    edits: [
      {
        file: "raft/voting.ts",
        find: "if (server.origin.recovery !== null) return stillRecovering;\n  if (!isVoteOpen",
        replace: "if (!isVoteOpen",
      },
      {
        file: "raft/voting.ts",
        find: "if (server.origin.recovery !== null) return stillRecovering;\n  // What it has",
        replace: "// What it has",
      },
    ],
    caughtAs: lostMemory,
    wipesOnly: true,
    seedsMax: 1_000,
  }),
  mutant({
    id: "wiped-begins-anew",
    breaks: "a wiped node writes the bootstrap entry of a new cluster (P6)",
    edits: [
      {
        file: "consensus/survey.ts",
        find: "return withLog.length > 0 ? this.#regainOrWait(withLog, nowMs) : this.#bootstrapOrWait(nowMs);",
        replace: 'return { kind: "bootstrap", term: 1, baseHeight: 0 };',
      },
    ],
    caughtAs: lostMemory,
    wipesOnly: true,
    seedsMax: 1_000,
  }),
  mutant({
    id: "match-of-wiped-kept",
    breaks: "a leader goes on counting the copy of a server that was wiped",
    edits: [
      {
        file: "raft/answers.ts",
        find: "else forgetLostMatch(server, progress, response);",
        replace: "",
      },
    ],
    caughtAs: ["committed stays committed", "progress"],
    wipesOnly: true,
    seedsMax: 1_000,
  }),
];
