/** A node that lacks blocks: from a snapshot, from the first entry of a log, and in its executor. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { equalBytes } from "../../src/base/bytes.ts";
import { encodeBlockPayload } from "../../src/block/codec.ts";
import { decodeStateSnapshot, type TxIdsAt } from "../../src/block/snapshot-codec.ts";
import type { StoredBlock } from "../../src/block/types.ts";
import { ExecutionError } from "../../src/execution/errors.ts";
import type { BlockSource } from "../../src/sequencer/ports.ts";
import type { Sequencer } from "../../src/sequencer/sequencer.ts";
import { type SequencerSnapshot, takeSnapshot } from "../../src/sequencer/snapshot.ts";
import { idOfKey } from "../../src/sequencer/submission.ts";
import { encodeTxBatch, offerStatus } from "../../src/sequencer/tx-batch.ts";
import { blockFileName } from "../../src/storage/block-tables.ts";
import { flipBit } from "../storage/flip-bit.ts";
import { bytes, openChain, startSequencer, TestLog, until } from "./fixtures.ts";

type OpenChain = Awaited<ReturnType<typeof openChain>>;

const never = new AbortController().signal;
/** All chains that a test has opened. */
const open: OpenChain[] = [];
const running: Sequencer[] = [];
/** The chain that all others have. */
let leader: OpenChain;
let leaderLog: TestLog;
let producer: Producer;

beforeEach(async () => {
  leader = await fresh();
  leaderLog = new TestLog();
  producer = new Producer(leader, leaderLog, "key");
});

/** A node that leads, and makes a block of each transaction and of nothing else. */
class Producer {
  readonly #sequencer: Sequencer;
  readonly #name: string;
  readonly #chain: OpenChain;
  #sent = 0;
  #height = 0;

  constructor(chain: OpenChain, log: TestLog, name: string) {
    const production = {
      blockTimeMs: 1,
      lazyBlockIntervalMs: 3_600_000,
      signsBeforeCommit: false,
    };
    this.#sequencer = startSequencer(chain, log, { production }).sequencer;
    this.#name = name;
    this.#chain = chain;
    running.push(this.#sequencer);
    log.commit(2, null, "noop");
    const role = { role: "leader", term: 2, leaderId: "a", hasJoined: true } as const;
    this.#sequencer.onRole({ ...role, isRecovering: false, commitIndex: log.entries.length });
  }

  /** The first block is empty, and made at once. */
  async produce(count: number): Promise<void> {
    this.#height += count;
    await until(() => this.#chain.store.head.height >= 1);
    while (this.#chain.store.head.height < this.#height) {
      const name = `${this.#name}-${this.#sent++}`;
      const tx = bytes(`${name}=value`);
      const submission = { tx, idempotencyKey: name, wait: "commit", signal: never } as const;
      const { kind } = await this.#sequencer.submit(submission);
      expect(kind).toBe("committed");
    }
  }

  stop(): Promise<void> {
    return this.#sequencer.stop();
  }
}

async function produce(count: number): Promise<SequencerSnapshot> {
  await producer.produce(count);
  return defined(await takeSnapshot(leader.store), "a chain with blocks has a snapshot");
}

afterEach(async () => {
  for (const sequencer of running.splice(0)) await sequencer.stop();
  for (const chain of open.splice(0)) await chain.remove();
});

async function fresh(): Promise<OpenChain> {
  const chain = await openChain();
  open.push(chain);
  return chain;
}

/** The leader's blocks, as a peer serves them: without identities. */
class Peer implements BlockSource {
  readonly served: number[] = [];
  /** Above it nothing is served, yet. */
  limit = Number.POSITIVE_INFINITY;

  async txIds(height: number) {
    const identities: TxIdsAt[] = [];
    await leader.store.flushed();
    for await (const at of leader.store.recentTxIds(height)) identities.push(at);
    return identities;
  }

  async *blocks({ parent, target }: Parameters<BlockSource["blocks"]>[0], signal: AbortSignal) {
    for (let height = parent.height + 1; height <= target.height; height++) {
      while (height > this.limit) {
        signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      const { hash, header, data } = defined(leader.store.blockAt(height), "the leader has it");
      if (height === target.height) expect(hash).toEqual(target.hash);
      this.served.push(height);
      const { dataHash } = headOf(height);
      yield { height, hash, header, data, dataHash };
    }
  }
}

function headOf(height: number) {
  const next = leader.store.blockAt(height + 1);
  const dataHash = next?.data.metadata?.lastDataHash;
  return { dataHash: dataHash ?? leader.store.head.dataHash };
}

function start(chain: OpenChain, source?: BlockSource) {
  const log = new TestLog();
  const pool = { maxTxs: 10, maxBytes: 10_000, maxOffers: 2 };
  const started = startSequencer(chain, log, { pool, ...(source === undefined ? {} : { source }) });
  running.push(started.sequencer);
  return { ...started, log };
}

/** All that peers can see of a block, and the state after it. */
function essence({ raftIndex: _index, raftTerm: _term, ...block }: StoredBlock): object {
  return block;
}

function expectSameChain(chain: OpenChain, height: number): void {
  expect(chain.store.head.height).toBe(height);
  for (let at = 1; at <= height; at++) {
    const [ours, theirs] = [chain.store.blockAt(at), leader.store.blockAt(at)];
    expect(essence(defined(ours, "ours"))).toEqual(essence(defined(theirs, "theirs")));
  }
}

describe("a snapshot", () => {
  it("is the last block on disk and the identities in the window", async () => {
    expect(await takeSnapshot((await fresh()).store)).toBeNull();
    const snapshot = await produce(5);
    const { block, recentTxIds } = decodeStateSnapshot(snapshot.data);
    const stored = defined(leader.store.blockAt(block.height), "the leader has it");
    expect([snapshot.index, snapshot.term]).toEqual([stored.raftIndex, stored.raftTerm]);
    expect(block).toMatchObject({ hash: stored.hash, header: stored.header, data: stored.data });
    const ids = recentTxIds.flatMap(({ txIds }) => txIds);
    expect(ids.slice(0, 2)).toEqual([idOfKey("key-0"), idOfKey("key-1")]);
    expect(leader.store.flushedHeight).toBeGreaterThanOrEqual(block.height);
  });

  it("brings a node to its block by way of the blocks below, and entries go on from there", async () => {
    const snapshot = await produce(8);
    const { height } = decodeStateSnapshot(snapshot.data).block;
    const chain = await fresh();
    const { sequencer, log, recorded } = start(chain, new Peer());
    sequencer.onSnapshot(snapshot);
    expect(sequencer.unreadyReason).not.toBeNull();
    await until(() => log.appliedIndex === snapshot.index);
    expectSameChain(chain, height);
    expect(chain.store.head.raftIndex).toBe(snapshot.index);
    expect(recorded.blocks.every(({ source }) => source === "p2p")).toBe(true);
    expect(recorded.backlogs.at(0)).toEqual({
      kind: "fetching",
      height: 0,
      targetHeight: height - 1,
    });
    expect(recorded.backlogs.at(-1)).toBeNull();
    expect(sequencer.unreadyReason).toBeNull();
    // A repetition is judged as on every other node (P7).
    expect(chain.store.txLocation(idOfKey("key-3"))).toEqual(
      leader.store.txLocation(idOfKey("key-3")),
    );

    await produce(3);
    const entries = leaderLog.entries.filter(({ index }) => index > snapshot.index);
    sequencer.onCommitted(entries, leaderLog.entries.length);
    await until(() => log.appliedIndex === entries.at(-1)?.index);
    expectSameChain(chain, leader.store.head.height);
    expect(recorded.failures).toEqual([]);
  });

  it("without identities, as a leader in Go sends it, has a member asked for them first (P7)", async () => {
    const snapshot = await produce(8);
    const { block } = decodeStateSnapshot(snapshot.data);
    const chain = await fresh();
    const peer = new Peer();
    const answers = Promise.withResolvers<void>();
    const txIds = peer.txIds.bind(peer);
    peer.txIds = (height) => answers.promise.then(() => txIds(height));
    const { sequencer, log } = start(chain, peer);
    sequencer.onSnapshot({ ...snapshot, data: encodeBlockPayload(block) });
    await until(() => sequencer.unreadyReason?.includes("height 0 of 7") === true);
    expect(peer.served).toEqual([]);
    answers.resolve();
    await until(() => log.appliedIndex === snapshot.index);
    expectSameChain(chain, 8);
    const known = chain.store.txLocation(idOfKey("key-3"));
    expect(known).toEqual(leader.store.txLocation(idOfKey("key-3")));
    expect(known).not.toBeNull();
    expect(sequencer.unreadyReason).toBeNull();
  });

  it("whose blocks nobody can name the transactions of any more has what waited here looked for in them (P7)", async () => {
    const snapshot = await produce(8);
    const { block } = decodeStateSnapshot(snapshot.data);
    const chain = await fresh();
    const [executed, other] = [idOfKey("before the crash"), idOfKey("not yet in a block")];
    await chain.store.keepTx(executed, bytes("key-1=value"));
    await chain.store.keepTx(other, bytes("other=value"));
    // Two with the same bytes are two, of which one is in a block.
    const twins = [idOfKey("twin"), idOfKey("its twin")];
    for (const id of twins) await chain.store.keepTx(id, bytes("key-3=value"));
    const peer = new Peer();
    peer.txIds = () => Promise.resolve([]);
    const { sequencer, log } = start(chain, peer);
    // What came in this process, and was offered to nobody, is in no block.
    const submission = { tx: bytes("key-2=value"), idempotencyKey: "new", signal: never };
    expect((await sequencer.submit({ ...submission, wait: "accept" })).kind).toBe("accepted");
    sequencer.onSnapshot({ ...snapshot, data: encodeBlockPayload(block) });
    await until(() => log.appliedIndex === snapshot.index);
    await chain.store.flushed();
    const left = chain.store.keptTxs().map(({ txId }) => txId);
    expect(left).toHaveLength(3);
    expect(left).toEqual(expect.arrayContaining([other, idOfKey("new")]));
    expect(twins.filter((id) => left.some((kept) => equalBytes(kept, id)))).toHaveLength(1);
    expect(sequencer.pool.size).toBe(3);
  });

  it("is a target that a newer one takes over, and makes the node unready all the while", async () => {
    const older = await produce(6);
    const newer = await produce(6);
    const chain = await fresh();
    const peer = new Peer();
    peer.limit = 3;
    const { sequencer, log } = start(chain, peer);
    sequencer.onSnapshot(older);
    await until(() => chain.store.head.height === 3);
    await until(() => /height 3 of 5/.test(sequencer.unreadyReason ?? ""));
    // Elected for want of another, it cannot tell yet what is executed (P7).
    const role = { term: 9, hasJoined: true, isRecovering: false, commitIndex: newer.index };
    sequencer.onRole({ ...role, role: "leader", leaderId: "a" });
    const tx = { id: bytes("id"), tx: bytes("a=1") };
    const offer = encodeTxBatch({ absentThrough: 5, txs: [tx] });
    expect(sequencer.takeOffer(offer)).toBe(offerStatus.tooEarly);
    sequencer.onRole({ ...role, role: "follower", leaderId: "b" });
    sequencer.onCommitted(
      leaderLog.entries.filter(({ index }) => index > older.index && index <= newer.index),
      newer.index,
    );
    sequencer.onSnapshot(newer);
    await until(() => /height 3 of 11/.test(sequencer.unreadyReason ?? ""));
    expect(log.readiness.at(-1)?.isReady).toBe(false);
    peer.limit = Number.POSITIVE_INFINITY;
    await until(() => log.appliedIndex === newer.index);
    expectSameChain(chain, 12);
    // Nothing was fetched twice.
    expect(peer.served).toEqual([...new Set(peer.served)]);
  });

  it("is gone on with after a restart in the middle, from the blocks that are there", async () => {
    const snapshot = await produce(10);
    const chain = await openChain();
    const peer = new Peer();
    peer.limit = 4;
    const first = start(chain, peer);
    first.sequencer.onSnapshot(snapshot);
    await until(() => chain.store.head.height === 4);
    await first.sequencer.stop();
    await chain.close();

    const again = await openChain(chain.directory);
    open.push(again);
    // Its entry is not known: the log must bring the snapshot again.
    expect(again.store.head).toMatchObject({ height: 4, raftIndex: 0 });
    expect(await takeSnapshot(again.store)).toBeNull();
    const rest = new Peer();
    const { sequencer, log } = start(again, rest);
    sequencer.onSnapshot(snapshot);
    await until(() => log.appliedIndex === snapshot.index);
    expect(rest.served[0]).toBe(5);
    expectSameChain(again, 10);
    expect(again.store.txLocation(idOfKey("key-1"))).not.toBeNull();
  });

  it("of a block that is there already changes nothing; another block at its height is divergence", async () => {
    const snapshot = await produce(3);
    const chain = await fresh();
    const { sequencer, log } = start(chain, new Peer());
    sequencer.onSnapshot(snapshot);
    await until(() => log.appliedIndex === snapshot.index);
    sequencer.onSnapshot(snapshot);
    sequencer.onCommitted([], snapshot.index);
    expectSameChain(chain, 3);

    const other = await foreignChain(3);
    const { sequencer: stranger, recorded } = start(other);
    stranger.onSnapshot(snapshot);
    await until(() => recorded.failures.length > 0);
    expect(recorded.failures).toMatchObject([{ detail: { code: "STATE_DIVERGENCE", height: 3 } }]);
    expect(other.store.head.height).toBe(3);
  });
});

/** Blocks of its own on the same genesis. */
async function foreignChain(length: number): Promise<OpenChain> {
  const chain = await fresh();
  const foreigner = new Producer(chain, new TestLog(), "foreign");
  await foreigner.produce(length);
  await foreigner.stop();
  return chain;
}

describe("a log whose first block is far above the head", () => {
  it("has the blocks below fetched, then goes on", async () => {
    await produce(6);
    const entries = leaderLog.entries.filter(({ kind }) => kind === "command").slice(4);
    const chain = await fresh();
    const { sequencer, recorded } = start(chain, new Peer());
    sequencer.onCommitted(entries, leaderLog.entries.length);
    await until(() => chain.store.head.height === leader.store.head.height);
    expect(chain.store.head.hash).toEqual(leader.store.head.hash);
    const known = chain.store.txLocation(idOfKey("key-1"));
    expect(known).toEqual(leader.store.txLocation(idOfKey("key-1")));
    expect(known).not.toBeNull();
    expect(recorded.blocks.map(({ source }) => source).slice(0, 5)).toEqual([
      "p2p",
      "p2p",
      "p2p",
      "p2p",
      "raft",
    ]);
    expect(recorded.failures).toEqual([]);
  });

  it("may bring entries of blocks that are there", async () => {
    await produce(4);
    const chain = await fresh();
    const { sequencer, log, recorded } = start(chain, new Peer());
    const commands = leaderLog.entries.filter(({ kind }) => kind === "command");
    sequencer.onCommitted(commands.slice(3), leaderLog.entries.length);
    await until(() => chain.store.head.height >= 4);
    await sequencer.stop();
    const again = start(chain, new Peer());
    again.sequencer.onCommitted(leaderLog.entries, leaderLog.entries.length);
    await until(() => again.log.appliedIndex === leaderLog.entries.length);
    expect([recorded.refusals, again.recorded.refusals]).toEqual([[], []]);
    expect(log.appliedIndex).toBeGreaterThan(0);
  });
});

describe("a log that begins above blocks", () => {
  const leading = { role: "leader", term: 2, leaderId: "a", hasJoined: true } as const;

  it("is not built on by a node that lacks some of them, which hands over (P5)", async () => {
    const chain = await fresh();
    const log = new TestLog();
    const { sequencer, recorded } = startSequencer(chain, log, { baseHeight: 5 });
    running.push(sequencer);
    log.commit(2, null, "noop");
    sequencer.onRole({ ...leading, isRecovering: false, commitIndex: 1 });
    await until(() => log.transfers === 1);
    expect(recorded.states).toEqual(["catchingUp"]);
    expect(log.entries).toHaveLength(1);
    expect(sequencer.unreadyReason).toMatch(/up to height 5.*are missing/);
    expect(log.readiness.some(({ isReady }) => isReady)).toBe(false);
  });

  it("is built on by one that has them all", async () => {
    await producer.produce(5);
    await producer.stop();
    const log = new TestLog();
    leader.store.beginLog();
    const { height: baseHeight } = leader.store.head;
    const { sequencer, recorded } = startSequencer(leader, log, { baseHeight });
    running.push(sequencer);
    log.commit(2, null, "noop");
    sequencer.onRole({ ...leading, isRecovering: false, commitIndex: 1 });
    await until(() => recorded.blocks.length > 0);
    expect(recorded.blocks[0]?.block.height).toBe(baseHeight + 1);
  });
});

describe("a committed block that was built on another state", () => {
  it("stops the node with both hashes, and nothing is overwritten", async () => {
    await produce(5);
    const chain = await foreignChain(3);
    const { hash } = chain.store.head;
    const { sequencer, recorded } = start(chain);
    const entries = leaderLog.entries.filter(({ kind }) => kind === "command");
    sequencer.onCommitted(entries.slice(3, 4), 4);
    await until(() => recorded.failures.length > 0);
    expect(recorded.failures).toMatchObject([{ detail: { code: "STATE_DIVERGENCE", height: 3 } }]);
    expect(String(recorded.failures[0])).toMatch(
      /state divergence at height 3.*0x.*0x.*data directory/,
    );
    expect(chain.store.head.hash).toEqual(hash);
    expect(recorded.refusals).toEqual([]);
  });

  it("stops it also where that block is above the next one", async () => {
    await produce(5);
    const chain = await foreignChain(3);
    const { sequencer, recorded } = start(chain);
    const entries = leaderLog.entries.filter(({ kind }) => kind === "command");
    sequencer.onCommitted(entries.slice(4), 5);
    await until(() => recorded.failures.length > 0);
    expect(recorded.failures).toMatchObject([{ detail: { code: "STATE_DIVERGENCE", height: 3 } }]);
  });
});

describe("an executor that is behind the block store", () => {
  async function withoutExecutorState(length: number): Promise<OpenChain> {
    const chain = await foreignChain(length);
    open.splice(open.indexOf(chain), 1);
    await chain.close();
    for (const name of ["kv.mdb", "kv.mdb-lock"]) rmSync(join(chain.directory, name));
    const again = await openChain(chain.directory);
    open.push(again);
    return again;
  }

  it("gets its gap while the node runs, which is unready and has applied nothing meanwhile", async () => {
    const chain = await withoutExecutorState(20);
    let isDown = true;
    const { executor } = chain;
    const executeTxs = executor.executeTxs.bind(executor);
    executor.executeTxs = (block) => {
      if (!isDown || block.height < 15) return executeTxs(block);
      const detail = { code: "EXECUTION_UNAVAILABLE", height: block.height } as const;
      throw new ExecutionError(detail, "it does not answer. Start it");
    };
    const { sequencer, log, recorded } = start(chain);
    await until(() => sequencer.unreadyReason?.includes("height 14 of 20") === true);
    expect(log.readiness.some(({ isReady }) => isReady)).toBe(false);
    let isApplied = false;
    const waiting = sequencer.whenApplied(1, never).then(() => {
      isApplied = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(isApplied).toBe(false);
    isDown = false;
    await waiting;
    expect(await executor.head()).toMatchObject({ height: 20, appHash: chain.store.head.appHash });
    expect(recorded.blocks).toEqual([]);
    await until(() => sequencer.unreadyReason === null);
  });

  it("waits for a stored block that is damaged until it has been fetched again", async () => {
    const whole = await foreignChain(20);
    const { hash, header, data, appHash } = defined(whole.store.blockAt(7), "block 7 is stored");
    open.splice(open.indexOf(whole), 1);
    await whole.close();
    flipBit(join(whole.directory, blockFileName), header.signature);
    for (const name of ["kv.mdb", "kv.mdb-lock"]) rmSync(join(whole.directory, name));
    const chain = await openChain(whole.directory);
    open.push(chain);
    const { sequencer, recorded } = start(chain);
    await until(() => sequencer.unreadyReason?.includes("height 6 of 20") === true);
    await until(() => chain.store.damagedBlocks.has(7));
    await chain.store.restore({ height: 7, hash, header, data }, appHash);
    await until(() => sequencer.unreadyReason === null);
    expect((await chain.executor.head()).height).toBe(20);
    expect(recorded.failures).toEqual([]);
  });

  it("that holds another state is divergence", async () => {
    const chain = await foreignChain(5);
    const other = await fresh();
    await other.executor.executeTxs({
      height: 1,
      timestampNs: 1n,
      txs: [bytes("a=b")],
      prevAppHash: other.store.head.appHash,
    });
    const { recorded } = start({ ...chain, executor: other.executor });
    await until(() => recorded.failures.length > 0);
    expect(recorded.failures).toMatchObject([{ detail: { code: "EXECUTION_DIVERGED" } }]);
  });
});
