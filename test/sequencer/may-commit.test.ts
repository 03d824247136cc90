/** What a client hears that waits no longer: "not kept" only if its transaction can be in no block to come (P7). */

import { afterEach, beforeEach, expect, it } from "vitest";
import type { SubmitOutcome } from "../../src/block/submit.ts";
import type { PeerReply } from "../../src/sequencer/ports.ts";
import { idOfKey } from "../../src/sequencer/submission.ts";
import { encodeTxBatch, offerStatus } from "../../src/sequencer/tx-batch.ts";
import { bytes, follows, leads, openSequencer, until } from "./fixtures.ts";

type Opened = Awaited<ReturnType<typeof openSequencer>>;
let chain: Opened["chain"];
let log: Opened["log"];
let sequencer: Opened["sequencer"];
let close: Opened["close"];

beforeEach(async () => {
  ({ chain, log, sequencer, close } = await openSequencer());
});

afterEach(() => close());

const key = "k";

/** A client that may go away. */
function send(): { readonly outcome: Promise<SubmitOutcome>; readonly goAway: () => void } {
  const client = new AbortController();
  const { signal } = client;
  const sent = { tx: bytes("a=1"), idempotencyKey: key, wait: "commit" as const, signal };
  return { outcome: sequencer.submit(sent), goAway: () => client.abort() };
}

it.each<[what: string, reply: PeerReply]>([
  ["took it", { kind: "answered", status: offerStatus.taken, body: bytes("") }],
  ["cannot", { kind: "answered", status: offerStatus.notLeader, body: bytes("") }],
  ["is silent", { kind: "failed", reason: "timeout", failure: "unanswered" }],
  ["was never reached", { kind: "failed", reason: "refused", failure: "notSent" }],
])("while an offer of it waits for a leader that %s, it may commit", async (_what, reply) => {
  const answer = Promise.withResolvers<PeerReply>();
  log.replyToOffer = answer.promise;
  follows(sequencer, log, 2, "b");
  const { outcome, goAway } = send();
  await until(() => log.offers.length === 1);
  goAway();
  expect(await outcome).toMatchObject({ kind: "unavailable", mayCommit: true });
  expect(sequencer.pool.size).toBe(0);
  answer.resolve(reply);
});

it("while an offer of it waits and this node stops, it may commit", async () => {
  log.replyToOffer = new Promise(() => {});
  follows(sequencer, log, 2, "b");
  const { outcome } = send();
  await until(() => log.offers.length === 1);
  await sequencer.stop();
  expect(await outcome).toMatchObject({ kind: "unavailable", mayCommit: true });
});

it("once a leader has said that it cannot take it, it was not kept", async () => {
  const { notLeader } = offerStatus;
  log.replyToOffer = { kind: "answered", status: notLeader, body: bytes("") };
  follows(sequencer, log, 2, "b");
  const { outcome, goAway } = send();
  await until(() => log.offers.length >= 1);
  follows(sequencer, log, 3, null);
  goAway();
  expect(await outcome).toMatchObject({ kind: "unavailable", mayCommit: false });
});

it("one that another node counts on this leader for may commit", async () => {
  log.hasLease = false;
  leads(sequencer, log, 2);
  const { outcome, goAway } = send();
  const txs = [{ id: idOfKey(key), tx: bytes("a=1") }];
  expect(sequencer.takeOffer(encodeTxBatch({ absentThrough: 0, txs }))).toBe(offerStatus.taken);
  goAway();
  expect(await outcome).toMatchObject({ kind: "unavailable", mayCommit: true });
  log.hasLease = true;
  await until(() => chain.store.txLocation(idOfKey(key)) !== null);
});

it("one that another client of this node waits for may commit", async () => {
  const [first, second] = [send(), send()];
  await until(() => sequencer.pool.size === 1);
  first.goAway();
  expect(await first.outcome).toMatchObject({ kind: "unavailable", mayCommit: true });
  leads(sequencer, log, 2);
  expect(await second.outcome).toMatchObject({ kind: "committed" });
});

it("one that is sent again, and was being offered when its first client went away, may commit", async () => {
  log.replyToOffer = new Promise(() => {});
  follows(sequencer, log, 2, "b");
  const first = send();
  await until(() => log.offers.length === 1);
  first.goAway();
  await first.outcome;
  follows(sequencer, log, 3, null);
  const second = send();
  await until(() => sequencer.pool.size === 1);
  second.goAway();
  expect(await second.outcome).toMatchObject({ kind: "unavailable", mayCommit: true });
});
