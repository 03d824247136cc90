/** What a node with an empty raft_dir begins with (P6), row by row. */

import { describe, expect, it } from "vitest";
import { Survey, type SurveyOutcome } from "../../src/consensus/survey.ts";
import type { Standing } from "../../src/raft/types.ts";

const settleMs = 4_000;
/** When an answer was asked for: before the survey has settled, or after. */
const soon = 0;
const settled = settleMs;

interface Answer {
  readonly term: number;
  readonly standing: Standing | null;
  readonly askedMs: number;
}

function whole(term: number, lastLogIndex: number, more: Partial<Standing> = {}): Answer {
  const standing: Standing = { memory: "whole", lastLogIndex, height: 0, baseHeight: 0, ...more };
  return { term, standing, askedMs: settled };
}
function empty(more: Partial<Standing> = {}): Answer {
  return { ...whole(0, 0, { memory: "none", ...more }), askedMs: soon };
}
const partial = (term: number, lastLogIndex: number): Answer =>
  whole(term, lastLogIndex, { memory: "partial" });
const goPeer = (term: number): Answer => ({ term, standing: null, askedMs: settled });
const foreign = { isOfOtherChain: true } as const;
const threeServers = {
  voters: ["n1", "n2", "n3"],
  knownMembers: [],
  height: 0,
  firstHeight: 1,
  startedMs: 0,
  settleMs,
};
const early = (answer: Answer): Answer => ({ ...answer, askedMs: soon });

interface How {
  readonly nowMs?: number;
  readonly height?: number;
  readonly knownMembers?: readonly string[];
  readonly firstHeight?: number;
}

function outcomeOf(
  size: number,
  answers: Readonly<Record<string, Answer>>,
  { nowMs = settled, height = 0, knownMembers = [], firstHeight = 1 }: How = {},
): SurveyOutcome {
  const voters = Array.from({ length: size }, (_, at) => `n${at + 1}`);
  const survey = new Survey({
    id: "n1",
    voters,
    knownMembers,
    height,
    firstHeight,
    startedMs: 0,
    settleMs,
  });
  for (const [id, answer] of Object.entries(answers)) survey.heard(id, answer);
  return survey.outcome(nowMs);
}

it.each([
  ["as far as the leader has counted on it", [[5, 70]], 70],
  [
    "as far as it was seen to",
    [
      [5, 70],
      [5, 0],
    ],
    70,
  ],
  ["not what a leader of an older term had", [[4, 900]], 0],
  [
    "nor what it had where there was a later one",
    [
      [4, 900],
      [5, 7],
    ],
    7,
  ],
])(
  "what Go peers have is told by nobody: a lost copy is regained %s",
  (_case, sent, untilIndex) => {
    const survey = new Survey({ ...threeServers, id: "n1" });
    for (const [term = 0, index = 0] of sent) survey.wasSent(term, index);
    for (const id of ["n2", "n3"]) survey.heard(id, goPeer(5));
    expect(survey.outcome(settled)).toMatchObject({
      kind: "recover",
      recovery: { minTerm: 5, untilIndex },
    });
  },
);

describe("an empty disk, and nobody with a log", () => {
  it.each<[string, number, Record<string, Answer>, How, object]>([
    ["a single sequencer begins at once", 1, {}, { nowMs: 0 }, { term: 1, baseHeight: 0 }],
    [
      "a new cluster of which all are there begins at once",
      3,
      { n2: empty(), n3: early(whole(1, 1)) },
      { nowMs: 0 },
      { term: 1, baseHeight: 0 },
    ],
    [
      "a majority begins without the others, once they had their time",
      3,
      { n2: { ...empty(), askedMs: settled } },
      {},
      { term: 1, baseHeight: 0 },
    ],
    [
      "in the highest term answered, of which the vote may be spent",
      3,
      { n2: whole(4, 1), n3: whole(2, 1) },
      {},
      { term: 4, baseHeight: 0 },
    ],
    [
      "a single sequencer's chain becomes a cluster's, and goes on above it",
      3,
      { n2: empty({ height: 1000 }), n3: empty() },
      { nowMs: 0 },
      { term: 1, baseHeight: 1000 },
    ],
    [
      "all logs were reset, the blocks were kept",
      3,
      { n2: empty({ height: 70 }), n3: empty({ height: 69 }) },
      { nowMs: 0, height: 71 },
      { term: 1, baseHeight: 71 },
    ],
    ["a fresh Go peer has no log", 3, { n2: goPeer(1), n3: empty() }, {}, { term: 1 }],
  ])("%s", (_case, size, answers, how, expected) => {
    expect(outcomeOf(size, answers, how)).toMatchObject({ kind: "bootstrap", ...expected });
  });
});

describe("somebody has a log", () => {
  it.each<[string, number, Record<string, Answer>, object]>([
    [
      "N-m+1 told: the highest term and the highest last index count",
      3,
      { n2: whole(5, 90), n3: whole(4, 100) },
      { recovery: { minTerm: 5, untilIndex: 100 } },
    ],
    [
      "two of four are enough, since a majority is three",
      4,
      { n2: whole(5, 90), n3: whole(4, 100) },
      { recovery: { minTerm: 5, untilIndex: 100 } },
    ],
    [
      "what one tells that is no witness still raises the mark",
      5,
      { n2: whole(5, 90), n3: whole(4, 80), n4: whole(3, 70), n5: partial(7, 95) },
      { recovery: { minTerm: 7, untilIndex: 95 } },
    ],
    [
      "a log that begins above blocks is told of",
      3,
      { n2: whole(2, 9, { baseHeight: 50 }), n3: whole(2, 9) },
      { baseHeight: 50 },
    ],
    ["a Go peer in a later term has one", 3, { n2: goPeer(6), n3: whole(6, 40) }, {}],
  ])("%s", (_case, size, answers, expected) => {
    expect(outcomeOf(size, answers)).toMatchObject({ kind: "recover", ...expected });
  });
});

describe("it waits", () => {
  it.each<[string, number, Record<string, Answer>, How, RegExp]>([
    ["for the first answer", 3, {}, {}, /0 of 1 needed members have answered; silent: n2, n3/],
    [
      "while an absent member may still be starting",
      3,
      { n2: empty() },
      { nowMs: settleMs - 1 },
      /silent: n3/,
    ],
    [
      "while an election may be under way that its vote decides",
      3,
      { n2: early(whole(2, 1)), n3: early(whole(1, 1)) },
      { nowMs: settleMs - 1 },
      /elections that may be under way/,
    ],
    [
      "for a second witness where there were elections, though nobody who answers has a log",
      3,
      { n3: whole(2, 1) },
      {},
      /1 of 2 needed members have answered, as there were elections up to term 2; silent: n2/,
    ],
    [
      "for witnesses that were asked after that",
      3,
      { n2: early(whole(5, 90)), n3: whole(4, 100) },
      {},
      /known once 2 members answer/,
    ],
    [
      "with one member that has a log and one that lost its own",
      3,
      { n2: empty(), n3: whole(5, 90) },
      {},
      /n3 has a log up to entry 90.*2 members answer that kept their raft_dir; n2 lost theirs too/,
    ],
    [
      "who lost its disk is no witness, however much it has regained",
      3,
      { n2: partial(5, 90), n3: whole(5, 90) },
      {},
      /n2 lost theirs too/,
    ],
    [
      "rather than begin a new log over blocks while a member is silent",
      3,
      { n2: empty({ height: 12 }) },
      {},
      /n2 has blocks up to height 12, but.*only once all members have answered. Silent: n3/,
    ],
    [
      "also if the blocks are its own",
      5,
      { n2: empty(), n3: empty(), n4: empty() },
      { height: 7 },
      /n1 has blocks up to height 7.*Silent: n5/,
    ],
    ["for more than a Go peer without pre-vote", 3, { n2: goPeer(0) }, {}, /silent: n2, n3/],
    ["for voters only", 3, { stranger: empty() }, {}, /silent: n2, n3/],
    [
      "for all that were members, whoever of them is still configured",
      3,
      { n2: whole(4, 90), n3: whole(4, 90) },
      { knownMembers: ["n1", "n2", "n3", "n4", "n5"] },
      /known once 3 members .*silent: n4 \(in member\.json, and not in raft\.peers\), n5/,
    ],
    [
      "where the members are fewer than they were, and others may begin with all of them",
      3,
      { n2: empty(), n3: empty() },
      { knownMembers: ["n1", "n3", "n4", "n5"] },
      /raft\.peers does not name n4, n5, of the members in member\.json/,
    ],
    [
      "for an answer of its own chain: another's is none",
      3,
      { n2: empty(foreign) },
      {},
      /0 of 1 needed members have answered; silent: n2 \(has another genesis\.json\), n3/,
    ],
    [
      "while there are blocks of another chain, whatever the others say",
      3,
      { n2: empty(), n3: whole(40, 900, { ...foreign, height: 800 }) },
      {},
      /a chain with another genesis\.json: n3 up to height 800\. No chain is begun beside it/,
    ],
    [
      "while there is a log of another chain, though its blocks were lost",
      3,
      { n2: empty(), n3: whole(40, 900, foreign) },
      {},
      /No chain is begun beside it/,
    ],
    [
      "while a member of another chain regains a log",
      3,
      {
        n2: empty(),
        n3: {
          ...partial(40, 0),
          standing: { memory: "partial", lastLogIndex: 0, height: 0, baseHeight: 0, ...foreign },
        },
      },
      {},
      /No chain is begun beside it/,
    ],
    [
      "as well where the other chain's first block has another height",
      3,
      { n2: empty({ height: 999 }), n3: empty({ ...foreign, height: 500 }) },
      { firstHeight: 1000, height: 999 },
      /n3 up to height 500\. No chain is begun beside it/,
    ],
  ])("%s", (_case, size, answers, how, reason) => {
    const outcome = outcomeOf(size, answers, how);
    expect(outcome).toMatchObject({ kind: "wait" });
    expect(outcome.kind === "wait" ? outcome.reason : "").toMatch(reason);
  });

  it("no longer for one of another chain that is of this chain now; but silence proves nothing", () => {
    const survey = new Survey({ ...threeServers, id: "n1" });
    survey.heard("n2", { ...empty(), askedMs: settled });
    survey.heard("n3", { ...empty({ ...foreign, height: 7 }), askedMs: settled });
    expect(survey.outcome(1_000 * settled).kind).toBe("wait");
    survey.heard("n3", { ...empty(), askedMs: settled + 1 });
    expect(survey.outcome(settled + 1)).toMatchObject({ kind: "bootstrap", baseHeight: 0 });
  });

  it("keeps the newest answer of each, whatever the order in which they come", () => {
    const survey = new Survey({ ...threeServers, id: "n1" });
    survey.heard("n2", { ...whole(9, 5), askedMs: settled + 10 });
    survey.heard("n2", whole(3, 4));
    survey.heard("n3", whole(2, 2));
    expect(survey.outcome(settled + 20)).toMatchObject({ recovery: { minTerm: 9, untilIndex: 5 } });
  });
});
