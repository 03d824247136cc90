/** The leader's side of an offer: what it must not take. */

import { expect, it } from "vitest";
import { answerOffer } from "../../src/sequencer/forwarder.ts";
import { encodeTxBatch, offerStatus } from "../../src/sequencer/tx-batch.ts";
import { bytes } from "./fixtures.ts";

it.each([
  [5, offerStatus.tooEarly],
  [6, offerStatus.taken],
  [9, offerStatus.taken],
])(
  "a leader that can name what is in blocks from 7 on answers one who has seen those up to %i with %i (P7)",
  (absentThrough, expected) => {
    const taken: string[] = [];
    const status = answerOffer(
      encodeTxBatch({ absentThrough, txs: [{ id: bytes("id"), tx: bytes("k=v") }] }),
      {
        isLeading: true,
        identifiedFrom: 7,
        take: ({ tx }) => taken.push(Buffer.from(tx).toString()) > 0,
      },
    );
    expect(status).toBe(expected);
    expect(taken).toEqual(expected === offerStatus.taken ? ["k=v"] : []);
  },
);
