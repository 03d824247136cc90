import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toHex } from "../../src/base/bytes.ts";
import { blockTransactionsMaxBytes } from "../../src/base/limits.ts";
import { buildBlock } from "../../src/block/build.ts";
import { decodeBlockPayload, encodeBlockPayload } from "../../src/block/codec.ts";
import { SignatureChecker } from "../../src/block/sign.ts";
import { idOfKey } from "../../src/sequencer/submission.ts";
import { encodeTxBatch, offerStatus } from "../../src/sequencer/tx-batch.ts";
import {
  bytes,
  follows,
  genesis,
  leads,
  openChain,
  openSequencer,
  signer,
  startSequencer,
  TestLog,
  until,
} from "./fixtures.ts";

type Opened = Awaited<ReturnType<typeof openSequencer>>;
let chain: Opened["chain"];
let log: Opened["log"];
let sequencer: Opened["sequencer"];
let recorded: Opened["recorded"];
let close: Opened["close"];

beforeEach(async () => {
  ({ chain, log, sequencer, recorded, close } = await openSequencer());
});

afterEach(() => close());

const never = new AbortController().signal;

const lead = (term: number) => leads(sequencer, log, term);
const follow = (term: number, leaderId: string | null) => follows(sequencer, log, term, leaderId);

function submit(text: string, idempotencyKey: string | null = null) {
  return sequencer.submit({ tx: bytes(text), idempotencyKey, wait: "commit", signal: never });
}

describe("while this node leads", () => {
  it("it builds block after block, each signed, executed and stored", async () => {
    lead(2);
    await until(() => recorded.blocks.length >= 3);
    const signatures = new SignatureChecker();
    for (const { block } of recorded.blocks) {
      expect(signatures.verify(block.header)).toBe(true);
      expect(chain.store.blockAt(block.height)?.appHash).toEqual(block.appHash);
    }
    expect(recorded.blocks.slice(0, 3).map(({ block }) => block.height)).toEqual([1, 2, 3]);
    expect(recorded.states).toEqual(["catchingUp", "producing"]);
    expect([...recorded.timed].sort()).toEqual([
      "block_production",
      "block_validation",
      "state_update",
    ]);
  });

  it("nothing is signed before it is committed (P2)", async () => {
    log.fate = "hold";
    lead(2);
    await until(() => recorded.states.includes("producing"));
    log.release();
    await until(() => recorded.blocks.length === 1);
    const { data } = log.entries[1] ?? {};
    expect(decodeBlockPayload(data ?? new Uint8Array(0)).header.signature).toHaveLength(0);
  });

  it("a height is marked on disk before it is signed, and is not signed for another hash (P4)", async () => {
    const other = { height: 1, hash: new Uint8Array(32).fill(1) };
    await chain.store.setWatermark(other);
    lead(2);
    await until(() => recorded.failures.length === 1);
    expect(recorded.failures.splice(0)).toMatchObject([
      { detail: { code: "STORAGE_DOUBLE_SIGN" } },
    ]);
    expect(recorded.blocks).toEqual([]);
    expect(chain.store.watermark()).toEqual(other);
  });

  it("the newest block is the newest that was marked (P4)", async () => {
    lead(2);
    await until(() => recorded.blocks.length >= 3);
    await sequencer.drain();
    await sequencer.whenApplied(log.entries.length, never);
    const { height, hash } = sequencer.head;
    expect(chain.store.watermark()).toEqual({ height, hash });
  });

  it("no block is built without a lease", async () => {
    log.hasLease = false;
    lead(2);
    await until(() => recorded.states.includes("producing"));
    const pending = submit("a=1");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(log.entries.filter(({ kind }) => kind === "command")).toHaveLength(0);
    log.hasLease = true;
    expect(await pending).toMatchObject({ kind: "committed" });
  });

  it("a transaction is answered with its place, and executed once however often it is sent (P7)", async () => {
    lead(2);
    const first = await submit("a=1", "key");
    expect(first).toMatchObject({ kind: "committed", location: { index: 0 } });
    expect(await submit("a=2", "key")).toEqual(first);
    expect(chain.executor.get(bytes("a"))?.value).toEqual(bytes("1"));
  });

  it("equal bytes without a key are two transactions", async () => {
    lead(2);
    const [one, two] = await Promise.all([submit("a=1"), submit("a=1")]);
    expect(one).toMatchObject({ kind: "committed" });
    expect(two).toMatchObject({ kind: "committed" });
    expect(one).not.toEqual(two);
  });

  it("a block of its own that is refused is not followed by the same at once", async () => {
    log.fate = "garble";
    lead(2);
    await until(() => recorded.refusals.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(recorded.refusals).toHaveLength(1);
  });

  it("a lost proposal costs no transaction", async () => {
    log.fate = "lose";
    lead(2);
    const pending = submit("a=1");
    await until(() => recorded.states.includes("producing"));
    log.fate = "commit";
    expect(await pending).toMatchObject({ kind: "committed" });
  });

  it("it stops building when leadership is lost, and applies what the next leader commits", async () => {
    lead(2);
    await until(() => recorded.blocks.length >= 1);
    follow(3, "b");
    await until(() => recorded.states.at(-1) === "following");
    const { length } = log.entries;
    const next = buildBlock({
      head: sequencer.head,
      genesis,
      txs: [],
      txIds: [],
      nowNs: 0n,
      proposer: signer.signer,
    });
    const index = log.commit(3, encodeBlockPayload(next));
    await sequencer.whenApplied(index, never);
    expect(sequencer.head.height).toBe(next.height);
    expect(log.entries).toHaveLength(length + 1);
  });

  it("offers of others go into its blocks, known ones only once", async () => {
    lead(2);
    const offer = encodeTxBatch({
      absentThrough: 0,
      txs: [{ id: bytes("id-1"), tx: bytes("k=v") }],
    });
    expect(sequencer.takeOffer(offer)).toBe(offerStatus.taken);
    await until(() => chain.store.txLocation(bytes("id-1")) !== null);
    const location = chain.store.txLocation(bytes("id-1"));
    expect(sequencer.takeOffer(offer)).toBe(offerStatus.taken);
    const height = sequencer.head.height;
    await until(() => sequencer.head.height > height + 1);
    expect(chain.store.txLocation(bytes("id-1"))).toEqual(location);
    expect(recorded.refusals).toEqual([]);
  });

  it.each([
    ["bytes that are no batch", bytes("garbage")],
    [
      "an empty identity",
      encodeTxBatch({ absentThrough: 0, txs: [{ id: bytes(""), tx: bytes("k=v") }] }),
    ],
    [
      "an identity no block may hold",
      encodeTxBatch({ absentThrough: 0, txs: [{ id: new Uint8Array(300), tx: bytes("k=v") }] }),
    ],
    [
      "a transaction that fits into no block",
      encodeTxBatch({
        absentThrough: 0,
        txs: [{ id: bytes("i"), tx: new Uint8Array(blockTransactionsMaxBytes + 1) }],
      }),
    ],
  ])("%s are refused", (_what, body) => {
    lead(2);
    expect(sequencer.takeOffer(body)).toBe(offerStatus.malformed);
  });
});

describe("a transaction that came to two nodes", () => {
  const id = idOfKey("k");
  const offer = encodeTxBatch({ absentThrough: 0, txs: [{ id, tx: bytes("a=1") }] });
  const sent = (client: AbortController) =>
    sequencer.submit({
      tx: bytes("a=1"),
      idempotencyKey: "k",
      wait: "commit",
      signal: client.signal,
    });

  it("stays with the leader that was offered it, though the leader's own client goes away", async () => {
    log.hasLease = false;
    lead(2);
    const client = new AbortController();
    const pending = sent(client);
    expect(sequencer.takeOffer(offer)).toBe(offerStatus.taken);
    client.abort();
    expect(await pending).toMatchObject({ kind: "unavailable" });
    log.hasLease = true;
    await until(() => chain.store.txLocation(id) !== null);
  });

  it("may commit, as a client is told who came to it after the block was proposed", async () => {
    log.fate = "hold";
    lead(2);
    await until(() => recorded.states.includes("producing"));
    expect(sequencer.takeOffer(offer)).toBe(offerStatus.taken);
    log.release();
    await until(() => log.heldCount === 1);
    const client = new AbortController();
    const pending = sent(client);
    client.abort();
    expect(await pending).toMatchObject({ kind: "unavailable", mayCommit: true });
    log.release();
    await until(() => chain.store.txLocation(id) !== null);
  });

  it("is its own client's business again when the leadership is lost", async () => {
    log.hasLease = false;
    lead(2);
    const pending = sent(new AbortController());
    sequencer.takeOffer(offer);
    sequencer.takeOffer(
      encodeTxBatch({ absentThrough: 0, txs: [{ id: bytes("other"), tx: bytes("b=1") }] }),
    );
    follow(3, "b");
    await until(() => log.offers.length === 1);
    expect(sequencer.pool.size).toBe(1);
    log.hasLease = true;
    lead(4);
    expect(await pending).toMatchObject({ kind: "committed" });
  });
});

describe("a committed entry that is no next block", () => {
  const refused = async (data: Uint8Array) => {
    follow(2, "b");
    const index = log.commit(2, data);
    await sequencer.whenApplied(index, never);
    expect(recorded.blocks).toEqual([]);
    expect(sequencer.head.height).toBe(0);
    return recorded.refusals.join();
  };
  const block = (txs: string[], ids: string[]) =>
    buildBlock({
      head: sequencer.head,
      genesis,
      txs: txs.map(bytes),
      txIds: ids.map(bytes),
      nowNs: 0n,
      proposer: signer.signer,
    });

  it("is refused and told, not applied: garbage", async () => {
    expect(await refused(bytes("garbage"))).toMatch(/cannot decode/);
  });

  it("is refused: a height that does not follow", async () => {
    const payload = block([], []);
    expect(await refused(encodeBlockPayload({ ...payload, height: 2 }))).toMatch(/height/);
  });

  it("is refused: one transaction twice", async () => {
    expect(await refused(encodeBlockPayload(block(["a=1", "a=1"], ["x", "x"])))).toMatch(/twice/);
  });

  it("the next good block is applied all the same", async () => {
    await refused(bytes("garbage"));
    const index = log.commit(2, encodeBlockPayload(block([], [])));
    await sequencer.whenApplied(index, never);
    expect(sequencer.head.height).toBe(1);
  });
});

describe("while another node leads", () => {
  it("a transaction is offered to it, and answered once it is applied here", async () => {
    follow(2, "b");
    const pending = submit("a=1");
    await until(() => log.offers.length === 1);
    expect(log.offers[0]?.peerId).toBe("b");
    expect(await isSettled(pending)).toBe(false);
    // The leader's block arrives through the log.
    lead(3);
    expect(await pending).toMatchObject({ kind: "committed" });
  });

  it("it is offered again to the next leader, but not without end", async () => {
    follow(2, "b");
    const pending = submit("a=1");
    await until(() => log.offers.length === 1);
    follow(3, "c");
    await until(() => log.offers.some(({ peerId }) => peerId === "c"));
    follow(4, "d");
    expect(await pending).toMatchObject({
      kind: "unavailable",
      mayCommit: true,
      reason: "2 leaders in a row were lost",
    });
    expect(log.offers.map(({ peerId }) => peerId)).toEqual(["b", "c"]);
  });

  it("a leader whose queue is full may have taken it", async () => {
    log.replyToOffer = { kind: "answered", status: offerStatus.full, body: new Uint8Array(0) };
    follow(2, "b");
    const client = new AbortController();
    const submission = { tx: bytes("a=1"), idempotencyKey: null, wait: "commit" as const };
    const pending = sequencer.submit({ ...submission, signal: client.signal });
    await until(() => log.offers.length >= 2);
    client.abort();
    expect(await pending).toMatchObject({ kind: "unavailable", mayCommit: true });
  });

  it.each([
    [offerStatus.full, "b: its queue is full"],
    [offerStatus.malformed, "b: it cannot read them"],
    [404, "b: it answered 404"],
  ])("a leader that refuses with %i is told of", async (status, told) => {
    log.replyToOffer = { kind: "answered", status, body: new Uint8Array(0) };
    follow(2, "b");
    void submit("a=1");
    await until(() => recorded.offersRefused.length >= 2);
    expect(recorded.offersRefused[0]).toContain(told);
  });

  it("one that leads no more is no news", async () => {
    const { notLeader } = offerStatus;
    log.replyToOffer = { kind: "answered", status: notLeader, body: new Uint8Array(0) };
    follow(2, "b");
    void submit("a=1");
    await until(() => log.offers.length >= 3);
    expect(recorded.offersRefused).toEqual([]);
  });

  it("without any leader the client is told so in the configured time, with a sentence", async () => {
    follow(2, null);
    expect(await submit("a=1")).toMatchObject({
      kind: "unavailable",
      mayCommit: false,
      reason: "there was no leader for 0.2 s",
    });
    expect(sequencer.pool.size).toBe(0);
  });

  it("offers are refused", () => {
    follow(2, "b");
    expect(sequencer.takeOffer(encodeTxBatch({ absentThrough: 0, txs: [] }))).toBe(
      offerStatus.notLeader,
    );
  });
});

describe("limits", () => {
  it.each([
    ["too large", new Uint8Array(1001), { kind: "tooLarge", maxBytes: 1000 }],
    ["not key=value", bytes("nonsense"), { kind: "invalid" }],
  ])("a transaction that is %s is refused", async (_what, tx, answer) => {
    const submission = { tx, idempotencyKey: null, wait: "commit" as const, signal: never };
    expect(await sequencer.submit(submission)).toMatchObject(answer);
  });

  it("a full queue refuses, keeps nothing, and takes again when there is room", async () => {
    follow(2, "b");
    const waiting = ["a=1", "b=1", "c=1"].map((tx) => submit(tx));
    expect(await submit("d=1")).toMatchObject({ kind: "queueFull" });
    expect(sequencer.pool.size).toBe(3);
    lead(3);
    for (const answer of await Promise.all(waiting)) expect(answer.kind).toBe("committed");
    expect(await submit("d=1")).toMatchObject({ kind: "committed" });
  });

  it("a client that goes away leaves nothing behind", async () => {
    follow(2, null);
    const client = new AbortController();
    const submission = { tx: bytes("a=1"), idempotencyKey: null, wait: "commit" as const };
    const pending = sequencer.submit({ ...submission, signal: client.signal });
    client.abort();
    expect(await pending).toMatchObject({ kind: "unavailable" });
    expect(sequencer.pool.size).toBe(0);
  });
});

describe("wait=accept", () => {
  it("is answered when durable, and committed after a restart (P7)", async () => {
    follow(2, null);
    const submission = { tx: bytes("a=1"), idempotencyKey: "k", wait: "accept" as const };
    const answer = await sequencer.submit({ ...submission, signal: never });
    expect(answer.kind).toBe("accepted");
    await sequencer.stop();
    await chain.close();

    chain = await openChain(chain.directory);
    log = new TestLog();
    ({ sequencer, recorded } = startSequencer(chain, log));
    lead(3);
    await until(() => chain.executor.get(bytes("a")) !== null);
    await until(() => chain.store.keptTxCount === 0);
    expect(toHex(chain.executor.get(bytes("a"))?.value ?? bytes(""))).toBe(toHex(bytes("1")));
  });
});

describe("wait=accept, while a block takes the transaction", () => {
  it("keeps nothing of it, neither in memory nor on disk (P7)", async () => {
    log.hasLease = false;
    lead(2);
    await until(() => recorded.states.includes("producing"));
    const submission = { tx: bytes("a=1"), idempotencyKey: "k", signal: never };
    const accepted = sequencer.submit({ ...submission, wait: "accept" });
    const committed = sequencer.submit({ ...submission, wait: "commit" });
    log.hasLease = true;
    expect((await accepted).kind).toBe("accepted");
    expect((await committed).kind).toBe("committed");
    expect(sequencer.pool.size).toBe(0);
    expect(chain.store.keptTxCount).toBe(0);
  });

  it("takes its room in the queue before it is on disk", async () => {
    follow(2, null);
    const answers = await Promise.all(
      ["a=1", "b=1", "c=1", "d=1"].map((tx) =>
        sequencer.submit({ tx: bytes(tx), idempotencyKey: tx, wait: "accept", signal: never }),
      ),
    );
    const kinds = answers.map(({ kind }) => kind);
    expect(kinds).toEqual(["accepted", "accepted", "accepted", "queueFull"]);
  });
});

describe("handing over", () => {
  it("a leader that does not catch up in time asks for a transfer (P5)", async () => {
    sequencer.onRole({
      role: "leader",
      term: 2,
      leaderId: "a",
      hasJoined: true,
      isRecovering: false,
      commitIndex: 99,
    });
    await until(() => log.transfers === 1);
    expect(recorded.states).toEqual(["catchingUp"]);
  });

  it("draining ends production and makes the node unready (P9)", async () => {
    lead(2);
    await until(() => recorded.blocks.length >= 1);
    await sequencer.drain();
    const { length } = log.entries;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(log.entries).toHaveLength(length);
    expect(log.readiness.at(-1)).toMatchObject({ isReady: false });
    expect(recorded.states.at(-1)).toBe("draining");
  });
});

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  const first = await Promise.race([promise, new Promise((r) => setTimeout(() => r(pending), 30))]);
  return first !== pending;
}
