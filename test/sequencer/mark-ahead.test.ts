import { describe, expect, it } from "vitest";
import { emptyBytes } from "../../src/base/bytes.ts";
import type { BlockPayload, StoredBlock } from "../../src/block/types.ts";
import { blocksBuiltUpon } from "../../src/sequencer/mark-ahead.ts";
import { genesisHead, headOf } from "../../src/storage/chain-head.ts";
import { blockAfter, genesis } from "../storage/block-fixtures.ts";

const start = genesisHead(genesis);
const a1 = blockAfter(start);
const a2 = blockAfter(headOf(a1));
const a3 = blockAfter(headOf(a2));
/** Of another leader, at the same heights. */
const b1 = blockAfter(start, ["b"]);
const b2 = blockAfter(headOf(b1));

function payload({ height, hash, header, data, txIds }: StoredBlock): BlockPayload {
  return {
    height,
    hash,
    timestampNs: header.header.timeNs,
    header: { ...header, signature: emptyBytes },
    data,
    txIds,
    lastSubmittedDaHeaderHeight: 0,
    lastSubmittedDaDataHeight: 0,
  };
}

function signed(block: StoredBlock): BlockPayload {
  return { ...payload(block), header: block.header };
}

const all = () => true;

describe("blocks that others build on", () => {
  it.each([
    { what: "all but the last", entries: [a1, a2, a3], ahead: [a1, a2] },
    { what: "none of one", entries: [a1], ahead: [] },
    { what: "none of nothing", entries: [], ahead: [] },
    { what: "those of the first that came, not a late one", entries: [a1, b1, a2], ahead: [a1] },
    { what: "none, if the next ones build on a late one", entries: [a1, b1, b2], ahead: [] },
    { what: "none far above the head", entries: [a2, a3], ahead: [] },
    { what: "each once", entries: [a1, a1, a2, a2], ahead: [a1] },
  ])("are $what", ({ entries, ahead }) => {
    const found = blocksBuiltUpon(start, entries.map(payload), all);
    expect(found.map(({ hash }) => hash)).toEqual(ahead.map(({ hash }) => hash));
  });

  it("are those above the head", () => {
    const found = blocksBuiltUpon(headOf(a1), [a1, a2, a3].map(payload), all);
    expect(found.map(({ height }) => height)).toEqual([2]);
  });

  it.each([
    {
      what: "none above a signed one",
      blocks: [signed(a1), payload(a2), payload(a3)],
      heights: [],
    },
    { what: "those below it", blocks: [payload(a1), signed(a2), payload(a3)], heights: [1] },
    { what: "all but the last", blocks: [payload(a1), payload(a2), signed(a3)], heights: [1, 2] },
  ])("have no gap where one is signed already: $what", ({ blocks, heights }) => {
    const found = blocksBuiltUpon(start, blocks, all);
    expect(found.map(({ height }) => height)).toEqual(heights);
  });

  it("are none that will be refused by what they claim, and none on top of those", () => {
    const isSound = ({ hash }: BlockPayload) => hash !== b1.hash;
    const found = blocksBuiltUpon(start, [b1, b2, a1, a2].map(payload), isSound);
    expect(found.map(({ hash }) => hash)).toEqual([a1.hash]);
  });
});
