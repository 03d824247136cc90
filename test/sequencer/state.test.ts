import { expect, it } from "vitest";
import { isSameWork, type SequencerFacts, stateFrom } from "../../src/sequencer/state.ts";

const leads = { term: 3, firstCommitIndex: 10 };
const facts: SequencerFacts = {
  isRecovering: false,
  isDraining: false,
  leads: null,
  appliedIndex: 10,
  lacksBlocks: false,
};

it.each([
  ["follows without leadership", {}, { kind: "following" }],
  [
    "catches up until the blocks before its term are applied",
    { leads, appliedIndex: 9 },
    { kind: "catchingUp", term: 3 },
  ],
  ["produces once they are", { leads }, { kind: "producing", term: 3 }],
  [
    "neither leads nor follows while it recovers (P6)",
    { leads, isRecovering: true },
    { kind: "recovering" },
  ],
  [
    "drains whatever else holds (P9)",
    { leads, isRecovering: true, isDraining: true },
    { kind: "draining" },
  ],
])("a node %s", (_rule, given, expected) => {
  expect(stateFrom({ ...facts, ...given })).toEqual(expected);
});

it("work of one term is not that of the next", () => {
  expect(isSameWork({ kind: "producing", term: 3 }, { kind: "producing", term: 3 })).toBe(true);
  expect(isSameWork({ kind: "producing", term: 3 }, { kind: "producing", term: 5 })).toBe(false);
  expect(isSameWork({ kind: "catchingUp", term: 3 }, { kind: "producing", term: 3 })).toBe(false);
});
