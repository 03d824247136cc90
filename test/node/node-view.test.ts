/** What a node says of its health, with a real sequencer, and consensus as each test wants it. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { waitingStatus } from "../../src/consensus/startup.ts";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import { type ConsensusForView, NodeView } from "../../src/node/node-view.ts";
import { openHome } from "../../src/node/open-home.ts";
import type { Sequencer } from "../../src/sequencer/sequencer.ts";
import { openChain, startSequencer, TestLog, until } from "../sequencer/fixtures.ts";

let chain: Awaited<ReturnType<typeof openChain>>;
let sequencer: Sequencer;
let log: TestLog;
let directory: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "evm-view-"));
  chain = await openChain();
  log = new TestLog();
  ({ sequencer } = startSequencer(chain, log));
});

afterEach(async () => {
  await sequencer.stop();
  await chain.remove();
  rmSync(directory, { recursive: true });
});

const following = { role: "follower", term: 2, leaderId: "b", hasJoined: true } as const;

/** A member that follows b. */
const consensus: ConsensusForView = {
  silentMs: 0,
  view: async () => ({
    status: { ...waitingStatus("a"), ...following },
    waitsFor: null,
    peers: [],
  }),
  askPeer: async () => ({ kind: "failed", reason: "nobody is there", failure: "notSent" }),
  holdsLease: () => false,
  confirmLeadership: async () => null,
  transferLeadership: () => {},
};

async function viewWith(
  environment: Readonly<Record<string, string>>,
  changed: Partial<ConsensusForView> = {},
): Promise<NodeView> {
  const cluster = await LocalCluster.create({ directory, nodeCount: 1 });
  const { home } = cluster.node("node-1").place;
  const flags = { settings: [], problems: [] };
  const { config } = loadConfig({ home, flags, environment, workingDirectory: directory });
  const facts = {
    nodeId: "a",
    version: "test",
    config,
    home: await openHome(config, "devnet"),
    addresses: new Map([["a", "127.0.0.1:5001"]]),
  };
  const p2p = { addresses: [], peers: [] };
  return new NodeView(facts, {
    blocks: chain.store,
    consensus: { ...consensus, ...changed },
    sequencer,
    p2p,
    kv: null,
    ethereum: null,
  });
}

describe("a node whose consensus thread hangs", () => {
  it("is not live, and says why; nor is it asked any more whether it is ready or leads", async () => {
    const never = () => new Promise<never>(() => {});
    const view = await viewWith({}, { silentMs: 10_500, view: never });
    const hangs = {
      isHealthy: false,
      reason: "the consensus thread has been silent for 11 s",
    };
    expect(await view.live()).toEqual(hangs);
    expect(await view.ready()).toEqual(hangs);
    expect(await view.leader()).toEqual(hangs);
  });

  it("is live while it may only be late", async () => {
    const view = await viewWith({}, { silentMs: 10_000 });
    expect((await view.live()).isHealthy).toBe(true);
  });
});

describe("a node that led and could not replicate", () => {
  const reason = "it led and could not replicate, and stands back for a while";

  it("is unready, and says why", async () => {
    const view = await viewWith({});
    sequencer.onRole({ ...following, isRecovering: false, commitIndex: 0 });
    sequencer.onRaftHealth({ slowDisk: null, standsBack: true });
    expect(await view.ready()).toEqual({ isHealthy: false, reason });
  });

  it("serves all the same where nobody else leads and it builds blocks", async () => {
    const view = await viewWith({});
    const leading = { ...following, role: "leader", leaderId: "a" } as const;
    sequencer.onRole({ ...leading, isRecovering: false, commitIndex: 0 });
    await until(() => chain.store.head.height >= 1);
    sequencer.onRaftHealth({ slowDisk: null, standsBack: true });
    expect(sequencer.unreadyReason).toBe(reason);
    expect((await view.ready()).isHealthy).toBe(true);
  });
});

describe("a follower is ready while it lags by no more blocks than node.readiness_max_blocks_behind", () => {
  /** It has applied some blocks, and hears of so many more that are committed. */
  async function lagBy(entries: number): Promise<void> {
    sequencer.onRole({ ...following, leaderId: "a", role: "leader", ...joined });
    await until(() => chain.store.head.height >= 1);
    sequencer.onRole({ ...following, ...joined });
    const reached = log.entries.length;
    await until(() => sequencer.appliedIndex === reached);
    sequencer.onRole({ ...following, isRecovering: false, commitIndex: reached + entries });
  }
  const joined = { isRecovering: false, commitIndex: 0 };
  const unready = { isHealthy: false, reason: "committed blocks are not yet applied" };
  const ready = { isHealthy: true, reason: "ready" };

  it.each([
    ["the default", 15, {}, ready],
    ["the default", 16, {}, unready],
    ["3", 3, { EVNODE_NODE_READINESS_MAX_BLOCKS_BEHIND: "3" }, ready],
    ["3", 4, { EVNODE_NODE_READINESS_MAX_BLOCKS_BEHIND: "3" }, unready],
  ])("with %s, %i blocks behind", async (_key, entries, environment, expected) => {
    const view = await viewWith(environment);
    await lagBy(entries);
    expect(await view.ready()).toEqual(expected);
  });

  it("to lead it may lag by 8 only, whatever the key says", async () => {
    await lagBy(9);
    expect(sequencer.unreadyReason).toBe(unready.reason);
    expect(log.readiness.at(-1)?.isReady).toBe(false);
  });
});
