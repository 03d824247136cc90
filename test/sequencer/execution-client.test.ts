/** An executor that asks a client of its own: it fails, hangs, loses blocks, and refuses transactions. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gap, unavailable } from "../../src/execution/errors.ts";
import type { Unfit } from "../../src/execution/executor.ts";
import type { Sequencer } from "../../src/sequencer/sequencer.ts";
import { Silence } from "../../src/sequencer/silence.ts";
import { bytes, openChain, type Recorded, startSequencer, TestLog, until } from "./fixtures.ts";

let chain: Awaited<ReturnType<typeof openChain>>;
let log: TestLog;
let sequencer: Sequencer;
let recorded: Recorded;
/** What the executor says. */
let oldestCall: number | null;
let txLifetimeMs: number;
let unfit: Unfit | null;

beforeEach(async () => {
  chain = await openChain();
  log = new TestLog();
  oldestCall = null;
  txLifetimeMs = 3_600_000;
  unfit = null;
  Object.defineProperties(chain.executor, {
    oldestCall: { get: () => oldestCall },
    txLifetimeMs: { get: () => txLifetimeMs },
  });
  chain.executor.screenTx = async () => unfit;
  ({ sequencer, recorded } = startSequencer(chain, log, { unreadyAfterMs: 300 }));
});

afterEach(async () => {
  await sequencer.stop();
  expect(recorded.failures).toEqual([]);
  await chain.remove();
});

function lead(term: number): void {
  log.commit(term, null, "noop");
  const commitIndex = log.entries.length;
  const leading = { role: "leader", leaderId: "a", hasJoined: true, isRecovering: false } as const;
  sequencer.onRole({ ...leading, term, commitIndex });
}

function submit(text: string) {
  const signal = new AbortController().signal;
  return sequencer.submit({ tx: bytes(text), idempotencyKey: text, wait: "accept", signal });
}

const isReady = () => log.readiness.at(-1)?.isReady;

describe("a client that fails", () => {
  it("makes the node unready after a while, and nothing is lost when it answers again (P5, P8)", async () => {
    lead(1);
    await until(() => recorded.blocks.length > 2);
    const executeTxs = chain.executor.executeTxs.bind(chain.executor);
    let failures = 0;
    chain.executor.executeTxs = async ({ height }) => {
      failures++;
      throw unavailable(height, new Error("down"));
    };
    await submit("a=1");
    await until(() => isReady() === false);
    expect(failures).toBeGreaterThan(1);
    expect(sequencer.unreadyReason).toBe("the execution client fails");
    expect(sequencer.failingMs).toBeGreaterThan(300);
    const heightBefore = sequencer.head.height;
    chain.executor.executeTxs = executeTxs;
    await until(() => isReady() === true && sequencer.head.height > heightBefore + 2);
    expect(sequencer.failingMs).toBe(0);
    const heights = recorded.blocks.map(({ block }) => block.height);
    expect(heights).toEqual(heights.map((_, at) => at + 1));
    await until(() => chain.executor.get(bytes("a")) !== null);
  });

  it("before there is a block makes the node unready for no longer than it fails (P5)", async () => {
    await sequencer.stop();
    const head = chain.executor.head.bind(chain.executor);
    const down = async () => {
      throw unavailable(0, new Error("down"));
    };
    chain.executor.head = down;
    ({ sequencer, recorded } = startSequencer(chain, log, { unreadyAfterMs: 300 }));
    await until(() => isReady() === false && sequencer.failingMs > 300);
    expect(sequencer.unreadyReason).toBe("the execution client fails");
    chain.executor.head = head;
    await until(() => isReady() === true);
    expect(sequencer.failingMs).toBe(0);
    expect(sequencer.head.height).toBe(0);
  });

  it("makes the node unready while its one call hangs, before that has failed (P5)", async () => {
    lead(1);
    await until(() => isReady() === true);
    oldestCall = 7;
    await until(() => isReady() === false);
    expect(sequencer.unreadyReason).toBe("the execution client fails");
    oldestCall = 8;
    await until(() => isReady() === true);
  });

  it("that was down when this node last led is asked again when it leads again", async () => {
    const build = chain.executor.build.bind(chain.executor);
    chain.executor.build = async ({ height }) => {
      throw unavailable(height, new Error("down"));
    };
    lead(1);
    await until(() => isReady() === false);
    const commitIndex = log.entries.length;
    const following = { role: "follower", leaderId: "b", hasJoined: true } as const;
    sequencer.onRole({ ...following, term: 2, commitIndex, isRecovering: false });
    chain.executor.build = build;
    lead(3);
    await until(() => recorded.blocks.length > 2 && isReady() === true);
  });

  it("counts as silent only as often as one has listened (P13)", () => {
    const silence = new Silence(100);
    for (const call of [null, 1, 1, 1]) silence.look(call);
    expect(silence.ms).toBe(200);
    silence.look(2);
    expect(silence.ms).toBe(0);
    for (const call of [2, null, null]) silence.look(call);
    expect(silence.ms).toBe(0);
  });
});

it("a client that has lost blocks while the node runs gets them again, and the node says how far it is", async () => {
  lead(1);
  await until(() => recorded.blocks.length > 5);
  const executeTxs = chain.executor.executeTxs.bind(chain.executor);
  const executed: number[] = [];
  let lostAt: number | null = null;
  chain.executor.executeTxs = async (block) => {
    if (lostAt === null) {
      lostAt = block.height;
      throw gap(block.height, block.height - 3);
    }
    executed.push(block.height);
    return await executeTxs(block);
  };
  await until(() => executed.length > 5);
  const at = lostAt ?? 0;
  expect(executed.slice(0, 5)).toEqual([at - 3, at - 2, at - 1, at, at + 1]);
  const told = recorded.backlogs.slice(-4);
  const targetHeight = at - 1;
  expect(told).toEqual([
    { kind: "replaying", height: at - 4, targetHeight },
    { kind: "replaying", height: at - 3, targetHeight },
    { kind: "replaying", height: at - 2, targetHeight },
    null,
  ]);
});

it("a client that has lost blocks where no other node leads gets them again, though none can be built on it", async () => {
  lead(1);
  await until(() => recorded.blocks.length > 5);
  const { build, executeTxs, head } = chain.executor;
  const executor = chain.executor;
  const executed: number[] = [];
  let lostAt = 0;
  let clientHeight = 0;
  executor.build = async (block) => {
    if (lostAt === 0) {
      lostAt = block.height;
      clientHeight = lostAt - 4;
    }
    if (clientHeight < block.height - 1) throw gap(block.height, clientHeight + 1);
    return await build.call(executor, block);
  };
  executor.head = async () => ({ ...(await head.call(executor)), height: clientHeight });
  executor.executeTxs = async (block) => {
    executed.push(block.height);
    clientHeight = block.height;
    return await executeTxs.call(executor, block);
  };
  await until(() => clientHeight > lostAt + 2);
  const from = executed.indexOf(lostAt - 3);
  expect(executed.slice(from, from + 4)).toEqual([lostAt - 3, lostAt - 2, lostAt - 1, lostAt]);
});

describe("a transaction", () => {
  it("that the client finds unfit is refused in the client's words", async () => {
    unfit = { reason: "insufficient funds", isFinal: false };
    expect(await submit("a=1")).toEqual({ kind: "invalid", reason: "insufficient funds" });
    expect(sequencer.pool.size).toBe(0);
  });

  it("that is known is not shown to the client again", async () => {
    await submit("a=1");
    unfit = { reason: "already known", isFinal: false };
    expect(await submit("a=1")).toMatchObject({ kind: "accepted" });
  });

  it("whose place was taken by another is dropped, on disk as well, and said to be", async () => {
    await submit("a=1");
    expect([...chain.store.keptTxs()]).toHaveLength(1);
    unfit = { reason: "nonce too low", isFinal: true };
    await until(() => sequencer.pool.size === 0);
    expect(recorded.dropped).toEqual([expect.stringMatching(/: nonce too low$/)]);
    expect([...chain.store.keptTxs()]).toEqual([]);
  });

  it("that may still be taken stays, until its time is over", async () => {
    await submit("a=1");
    unfit = { reason: "insufficient funds", isFinal: false };
    let reviews = 0;
    chain.executor.screenTx = async () => {
      reviews++;
      return unfit;
    };
    await until(() => reviews > 3);
    expect(recorded.dropped).toEqual([]);
    txLifetimeMs = 0;
    await until(() => sequencer.pool.size === 0);
    expect(recorded.dropped).toEqual([expect.stringMatching(/: no block took it within 0 min$/)]);
  });

  it("that somebody waits for is not dropped: its client hears of its fate in time", async () => {
    const signal = new AbortController().signal;
    const waiting = { tx: bytes("a=1"), idempotencyKey: null, wait: "commit", signal } as const;
    const answer = sequencer.submit(waiting);
    await submit("b=1");
    expect(sequencer.pool.size).toBe(2);
    unfit = { reason: "nonce too low", isFinal: true };
    await until(() => recorded.dropped.length > 0);
    expect(sequencer.pool.size).toBe(1);
    lead(1);
    expect(await answer).toMatchObject({ kind: "committed" });
  });

  it.each([
    ["by what it is", bytes("its hash"), null, { mayCommit: true, executesOnce: true }],
    ["by its key", null, "key", { mayCommit: false, executesOnce: true }],
    ["by nothing", null, null, { mayCommit: false, executesOnce: false }],
  ])("that is known %s is said to be executed once, or not", async (_by, own, key, says) => {
    Object.defineProperty(chain.executor, "identityOf", { value: () => own });
    const signal = new AbortController().signal;
    const submission = { tx: bytes("a=1"), idempotencyKey: key, wait: "commit", signal } as const;
    // Nobody leads.
    expect(await sequencer.submit(submission)).toMatchObject({ kind: "unavailable", ...says });
  });
});
