/** ev-node's own code on what our nodes write and serve, ours on what it serves, and both in one cluster. */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { fromHex } from "../../src/base/bytes.ts";
import {
  decodeBlockPayload,
  decodeSignedHeader,
  encodeBlockPayload,
  encodeData,
  encodeSignedHeader,
} from "../../src/block/codec.ts";
import { BlockSigner } from "../../src/block/sign.ts";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { newGenesis, readGenesis, writeGenesis } from "../../src/home/genesis.ts";
import { homeLayout } from "../../src/home/layout.ts";
import { createNodeKey, readNodeKey } from "../../src/home/node-key.ts";
import { openSigner } from "../../src/home/signer-file.ts";
import { auditChain, readBlock } from "../e2e/harness/chain.ts";
import {
  type ClusterOptions,
  createCluster,
  endCleanly,
  heightOf,
  producingLeader,
  startCluster,
  untilAllFollow,
  untilGrown,
} from "../e2e/harness/cluster.ts";
import { sendTx } from "../e2e/harness/transactions.ts";
import { until } from "../e2e/harness/until.ts";
import { buildChain, chainId, signer as chainSigner, headAfter } from "../p2p/chain.ts";
import { createBackfill, createNode } from "../p2p/nodes.ts";
import { logOf } from "./agreement.ts";
import { EvNode } from "./evnode.ts";
import { askToHandOver, settingsBesideGo, timeouts } from "./mixed-cluster.ts";
import { Outcomes } from "./outcomes.ts";
import { hasProgram, needing } from "./programs.ts";
import { host, reservePorts } from "./reserved-ports.ts";
import { retried } from "./retried.ts";

const timeout = 240_000;
/** For a transaction: sooner than it gives up a node that leads no more. */
const txTimeoutMs = 5_000;
const evNodeId = "ev";

/** A directory for one test, and an ev-node that logs into it. */
async function startEvNode() {
  const directory = await mkdtemp(join(tmpdir(), "evm-evnode-"));
  const logFile = join(directory, "evnode.log");
  const evnode = await EvNode.start(logFile);
  onTestFinished(async ({ task }) => {
    await evnode.kill();
    if (task.result?.state === "fail") process.stderr.write(await readFile(logFile, "utf8"));
    await rm(directory, { recursive: true, force: true });
  });
  return { evnode, directory, logFile };
}

describe.skipIf(!hasProgram("evnode"))(needing("evnode", "ev-node"), () => {
  it("reads our genesis and keys, and takes our blocks from the log as its own", {
    timeout,
  }, async () => {
    const { evnode } = await startEvNode();
    const node = await startAlone();
    const { genesisFile, signerFile, nodeKeyFile } = homeLayout(node.place.home);
    const { passphrase } = node.place;

    const genesis = await readGenesis(genesisFile);
    const { chainId: id, initialHeight, startTimeNs, proposerAddress } = genesis;
    const facts = { chainId: id, initialHeight, startTimeNs, proposerAddress };
    expect(await evnode.genesis(genesisFile)).toEqual(facts);

    const { peerId } = await readNodeKey(nodeKeyFile);
    expect(await evnode.nodeKey(dirname(nodeKeyFile))).toBe(peerId);

    for (const tx of ["a=1", "b=2", "a=3"]) {
      expect((await sendTx(node, tx)).kind).toBe("committed");
    }
    await untilGrown(node, 20);
    const { height } = (await node.status()) ?? { height: 0 };
    const stored = await Promise.all(
      Array.from({ length: height }, (_, at) => readBlock(node, at + 1)),
    );
    await node.stop(20_000);
    const entries = (await logOf(node)).filter(({ type }) => type === 0).slice(0, height);
    const blocks = entries.map(({ data }, at) => ({
      entry: data ?? new Uint8Array(),
      appHash: bytesOf(stored[at]?.app_hash),
    }));
    const judged = await evnode.judge(genesisFile, blocks);
    expect(judged.map(({ headerHash }) => headerHash)).toEqual(
      stored.map(({ hash }) => bytesOf(hash)),
    );

    const pair = await openSigner(signerFile, passphrase);
    const { header } = decodeBlockPayload(blocks.at(-1)?.entry ?? new Uint8Array());
    const signer = new BlockSigner(pair.privateKey);
    const message = new TextEncoder().encode("any bytes");
    const { address, publicKey } = await evnode.signer(dirname(signerFile), passphrase, message);
    expect({ address, publicKey }).toEqual({
      address: signer.signer.address,
      publicKey: pair.publicKey,
    });
    expect(signer.sign(header.header)).toEqual(header);
  });

  it("refuses a block of ours in which one byte is another", { timeout }, async () => {
    const { evnode, directory } = await startEvNode();
    const { genesis, blocks } = await writeChain(directory, 3);
    const entries = blocks.map(({ entry, appHash }) => ({ entry, appHash }));
    await expect(evnode.judge(genesis, entries)).resolves.toHaveLength(3);
    const [, , last] = entries;
    const at = (last?.entry.length ?? 0) - 3;
    const changed = last?.entry.slice() ?? new Uint8Array();
    changed[at] = (changed[at] ?? 0) ^ 1;
    const spoilt = entries.with(2, { entry: changed, appHash: new Uint8Array(32) });
    await expect(evnode.judge(genesis, spoilt)).rejects.toThrow();
  });

  it.each([
    { when: "before", signBeforeCommit: true },
    { when: "after", signBeforeCommit: false },
  ])(
    "fetches our chain, signed $when it is committed, over libp2p",
    {
      timeout,
    },
    async ({ signBeforeCommit }) => {
      const { evnode, directory } = await startEvNode();
      const { peerId } = await createNodeKey(join(directory, "node_key.json"));
      const allowed = `/ip4/127.0.0.1/tcp/1/p2p/${peerId}`;
      const node = await startAlone({
        settings: {
          "p2p.allowed_peers": allowed,
          "raft.sign_before_commit": String(signBeforeCommit),
        },
      });
      expect((await sendTx(node, "a=1")).kind).toBe("committed");
      // More than one request may ask for.
      const to = 150;
      await until(`height ${to}`, async () => ((await node.status())?.height ?? 0) >= to);
      const { genesisFile, nodeKeyFile } = homeLayout(node.place.home);
      const { peerId: itsId } = await readNodeKey(nodeKeyFile);
      const peers = `/ip4/127.0.0.1/tcp/${node.place.p2pPort}/p2p/${itsId}`;
      const fetched = await evnode.sync({ genesis: genesisFile, nodeKey: directory, peers }, to);
      await node.stop(20_000);
      const entries = (await logOf(node)).filter(({ type }) => type === 0).slice(0, to);
      // The ev-node has judged the signature of each. Those that follow the commit are not in the log.
      expect(fetched).toHaveLength(to);
      for (const [at, { header, data }] of fetched.entries()) {
        const written = decodeBlockPayload(entries[at]?.data ?? new Uint8Array());
        const { signature } = signBeforeCommit ? written.header : decodeSignedHeader(header);
        expect(written.header.signature).toHaveLength(signBeforeCommit ? 64 : 0);
        expect(header).toEqual(encodeSignedHeader({ ...written.header, signature }));
        expect(data).toEqual(encodeData(written.data));
      }
    },
  );

  it("serves a chain that we fetch", { timeout }, async () => {
    const { evnode, directory } = await startEvNode();
    const { genesis, blocks } = await writeChain(directory, 200);
    await createNodeKey(join(directory, "node_key.json"));
    const peering = { genesis, nodeKey: directory, peers: "" };
    const address = await evnode.serve(peering, blocks);
    const us = createNode(0, { peers: [address] });
    await us.host.start();
    await until("it is connected", () => us.host.peers.length === 1);
    const target = blocks[149];
    if (target === undefined) throw new Error("the chain is longer");
    const gap = { parent: headAfter([], 0), target: target.block };
    const fetched = [];
    for await (const block of createBackfill(us).blocks(gap, AbortSignal.timeout(timeout))) {
      fetched.push(block);
    }
    const expected = blocks.slice(0, 150).map(({ block: { height, hash, header, data } }) => {
      return { height, hash, header, data };
    });
    expect(fetched).toMatchObject(expected);
  });
});

describe.skipIf(!hasProgram("evnode"))(needing("evnode", "a member that is an ev-node"), () => {
  it("restores a snapshot of ours, and goes on from it", { timeout }, async () => {
    const settings = { "raft.snapshot_threshold": "20", "raft.trailing_logs": "5" };
    const { evnode, logFile, ours, first, join } = await withEvNode(settings);
    await untilGrown(first, 40);
    await join();
    const restored = await until("it is sent what the log no longer holds", async () => {
      const log = await readFile(logFile, "utf8");
      const [, height] = /"height":(\d+).*"restored from snapshot"/.exec(log) ?? [];
      return height === undefined ? null : Number(height);
    });
    expect(restored).toBeGreaterThan(1);
    const { height, hash } = await until("it applies what comes after", async () => {
      const block = decodeBlockPayload((await evnode.status()).state);
      return block.height > restored ? block : null;
    });
    await until("ours has it", async () => (await heightOf(first)) >= height);
    expect(bytesOf((await readBlock(first, height)).hash)).toEqual(hash);
    await auditChain(ours);
    await endCleanly(ours);
  });

  it("follows ours, leads them, and hands over", { timeout }, async () => {
    const { evnode, ours: cluster, first, join } = await withEvNode();
    await join();
    const mixed = { evnode, ours: cluster, first };
    const outcomes = new Outcomes();
    for (const round of [1, 2]) {
      await retried("one of ours leads, and commits a transaction", async (nth) => {
        const tx = `ours=${round}.${nth}`;
        const leader = await until("one of ours leads", () => leaderOfOurs(mixed));
        const { kind } = await sendTx(leader, tx, { timeoutMs: txTimeoutMs });
        outcomes.add(tx, kind === "committed");
        return kind === "committed" || null;
      });
      await retried("the ev-node leads, and commits a transaction", async (nth) => {
        const tx = `theirs=${round}.${nth}`;
        await handOverToEvNode(mixed);
        await growByEvNode(mixed);
        const isCommitted = await produceByEvNode(mixed, [tx]);
        outcomes.add(tx, isCommitted);
        return isCommitted || null;
      });
      for (let nth = 0; nth < 5; nth++) await growByEvNode(mixed);
      await resignEvNode(mixed);
    }
    await untilAllFollow(cluster);
    const chain = await auditChain(cluster);
    outcomes.check(chain);
    await until("the ev-node has a block that we have", async () => {
      const { hash, height } = decodeBlockPayload((await evnode.status()).state);
      if (height < chain.length || (await heightOf(first)) < height) return false;
      expect(bytesOf((await readBlock(first, height)).hash)).toEqual(hash);
      return true;
    });
    await endCleanly(cluster);
  });
});

/** Two of ours that run, and an ev-node that is to be the third. */
async function withEvNode(settings: Readonly<Record<string, string>> = {}) {
  const { evnode, directory, logFile } = await startEvNode();
  const reserved = await reservePorts(1);
  const address = `${host}:${reserved.ports[0]}`;
  const ours = await createCluster({
    nodeCount: 2,
    otherMembers: [`${evNodeId}@${address}`],
    settings: { ...settingsBesideGo, ...settings },
  });
  await reserved.release();
  await ours.start();
  const [first] = ours.nodes;
  if (first === undefined) throw new Error("a cluster of two");
  const { genesisFile, signerFile } = homeLayout(first.place.home);
  const membership = {
    id: evNodeId,
    address,
    directory: join(directory, "raft"),
    peers: ours.nodes.map(({ id, place }) => `${id}@${place.host}:${place.raftPort}`),
    ...timeouts,
    sendTimeoutMs: 1_000,
    genesis: genesisFile,
    signer: dirname(signerFile),
    passphrase: first.place.passphrase,
  };
  return { evnode, logFile, ours, first, join: () => evnode.join(membership) };
}

async function startAlone(options: ClusterOptions = {}): Promise<LocalNode> {
  const settings = { "node.block_time": "20ms", "raft.sign_before_commit": "true" };
  const cluster = await startCluster({
    nodeCount: 1,
    settings: { ...settings, ...options.settings },
  });
  return await producingLeader(cluster);
}

interface Mixed {
  readonly evnode: EvNode;
  readonly ours: LocalCluster;
  /** Of ours, to read from. */
  readonly first: LocalNode;
}

/** The leader, if it is one of ours: an ev-node that leads is asked to resign, which takes another member. */
async function leaderOfOurs({ evnode, ours }: Mixed): Promise<LocalNode | null> {
  if ((await evnode.status()).isLeader) await evnode.resign().catch(() => {});
  return await ours.leader();
}

/** By one of ours that says that it has done so: an election in which the ev-node wins does not count. */
async function handOverToEvNode(mixed: Mixed): Promise<void> {
  await until("one of ours has handed over to the ev-node, which leads", async () => {
    const leader = await leaderOfOurs(mixed);
    if (leader === null) return false;
    return await askToHandOver(leader, evNodeId);
  });
}

/** The other way round. */
async function resignEvNode(mixed: Mixed): Promise<void> {
  const { evnode } = mixed;
  await until("the ev-node has handed over", async () => {
    if (!(await evnode.status()).isLeader) {
      await handOverToEvNode(mixed);
      return false;
    }
    return await evnode.resign().then(
      () => true,
      () => false,
    );
  });
}

/** One more block, by the ev-node: where it was deposed, it is handed leadership again, and may refuse at first. */
async function growByEvNode(mixed: Mixed): Promise<void> {
  await until("the ev-node commits a block", async () => {
    if (!(await mixed.evnode.status()).isLeader) await handOverToEvNode(mixed);
    return await produceByEvNode(mixed, []);
  });
}

/** False if the ev-node does not lead, or no longer: then the block may be committed all the same. */
async function produceByEvNode({ evnode, first }: Mixed, txs: readonly string[]): Promise<boolean> {
  // Where it leads, the chain stands still: what it took over is applied once both are at one height.
  const height = await until(`${first.id} has the ev-node's last block`, async () => {
    const { state } = await evnode.status();
    if (state.length === 0) return null;
    const { height } = decodeBlockPayload(state);
    return height === (await heightOf(first)) ? height : null;
  });
  const appHash = bytesOf((await readBlock(first, height)).app_hash);
  return await evnode.produce(appHash, txs).then(
    () => true,
    () => false,
  );
}

/** A chain and its genesis.json. */
async function writeChain(directory: string, length: number) {
  const genesis = join(directory, "genesis.json");
  const { address: proposerAddress } = chainSigner.signer;
  const { timeNs: startTimeNs } = headAfter([], 0);
  await writeGenesis(genesis, newGenesis({ chainId, proposerAddress, startTimeNs }));
  const blocks = buildChain({ length }).map((block) => ({
    block,
    entry: encodeBlockPayload({
      ...block,
      timestampNs: block.header.header.timeNs,
      lastSubmittedDaHeaderHeight: 0,
      lastSubmittedDaDataHeight: 0,
    }),
    appHash: block.appHash,
    header: encodeSignedHeader(block.header),
    data: encodeData(block.data),
  }));
  return { genesis, blocks };
}

function bytesOf(hex: string | undefined): Uint8Array {
  const bytes = fromHex(hex ?? "");
  if (bytes === null) throw new Error(`${hex} is no hexadecimal`);
  return bytes;
}
