/** What members ask of each other and answer, outside Raft. */

import { equalBytes, toHex } from "../../../src/base/bytes.ts";
import { txIdMaxBytes } from "../../../src/block/limits.ts";
import type { Height } from "../../../src/block/types.ts";
import { decodeClusterView } from "../../../src/node/cluster-view.ts";
import { decodeReadIndex } from "../../../src/node/peer-requests.ts";
import { decodePage, pageOfTxIds } from "../../../src/node/recent-identities.ts";
import { decodeTxBatch, encodeTxBatch } from "../../../src/sequencer/tx-batch.ts";
import { numberKey } from "../../../src/storage/keys.ts";
import { MemoryChain, MemoryNode } from "../../rpc/memory-node.ts";
import { json, lengthPrefixed } from "../shapes.ts";
import { Defect, expectThat, outcomeOf, type Target, utf8 } from "../target.ts";

const chain = new MemoryChain();
for (const name of ["a=1", "b=2", "c=3"]) chain.append([utf8(name)], [utf8(name)]);

/** Looks identities up by height, as the one on disk does: a height must be a key. */
const store = Object.assign(chain, {
  flushed: async () => {},
  async *recentTxIds(head: Height, from = 0) {
    for (let height = Math.max(from, head - 2); height <= head; height++) {
      if (height < 1) continue;
      numberKey(height);
      const txIds = chain.blockAt(height)?.txIds ?? [];
      if (txIds.length > 0) yield { height, txIds };
    }
  },
});

const cluster = await new MemoryNode().cluster();
const page = {
  next: 9,
  blocks: [
    { height: 1, txIds: [toHex(utf8("one")), toHex(utf8("two"))] },
    { height: 8, txIds: [toHex(new Uint8Array(txIdMaxBytes).fill(1))] },
  ],
};
const hexOfOne = JSON.stringify(toHex(utf8("one")));

export const nodeTargets: readonly Target[] = [
  {
    name: "tx-batch",
    shape: lengthPrefixed,
    seeds: [
      encodeTxBatch({
        absentThrough: 7,
        txs: [
          { id: utf8("one"), tx: utf8("k=v") },
          { id: new Uint8Array(txIdMaxBytes).fill(1), tx: new Uint8Array(0) },
        ],
      }),
      encodeTxBatch({ absentThrough: 0, txs: [] }),
    ],
    check: (input) => {
      const batch = decodeTxBatch(input);
      if (batch === null) return "refused";
      if (!equalBytes(encodeTxBatch(batch), input)) throw new Defect("is written otherwise");
      return "taken";
    },
    share: 2,
  },
  {
    name: "cluster-view",
    shape: json,
    seeds: [utf8(JSON.stringify(cluster))],
    check: (input) => outcomeOf(decodeClusterView(input)),
    share: 0.5,
  },
  {
    name: "read-index",
    shape: json,
    seeds: ["0", "42", String(Number.MAX_SAFE_INTEGER)].map(utf8),
    check: (input) => {
      const index = decodeReadIndex(input);
      if (index !== null && !equalBytes(utf8(String(index)), input)) {
        throw new Defect(`reads as ${index}`);
      }
      return outcomeOf(index);
    },
  },
  {
    name: "tx-ids-request",
    shape: json,
    seeds: ['{"from":0,"to":3}', '{"from":2,"to":2}'].map(utf8),
    check: async (input) => outcomeOf(await pageOfTxIds(input, store, 5)),
    share: 0.5,
  },
  {
    name: "tx-ids-page",
    shape: json,
    seeds: [utf8(JSON.stringify(page)), utf8('{"next":null,"blocks":[]}')],
    words: ['"txIds":[""]', '"next":null', '"height":-1', '"height":1.5', hexOfOne].map(utf8),
    check: (input) => {
      const read = decodePage(input);
      for (const { height, txIds } of read?.blocks ?? []) {
        numberKey(height);
        for (const id of txIds) {
          const isKey = id.length > 0 && id.length <= txIdMaxBytes;
          expectThat(isKey, "holds an identity that is no key");
        }
      }
      return outcomeOf(read);
    },
    share: 0.5,
  },
];
