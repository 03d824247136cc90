/**
 * A home as a node leaves it after many blocks: chain, state and log, written by the code that a node
 * writes them with, only without waiting for a block time. The log has been compacted.
 */

import { defined } from "../src/base/assert.ts";
import { buildBlock } from "../src/block/build.ts";
import { encodeBlockPayload } from "../src/block/codec.ts";
import type { BlockPayload } from "../src/block/types.ts";
import type { NodeConfig } from "../src/config/schema.ts";
import { KvExecutor } from "../src/execution/kv.ts";
import { formatKvTransaction } from "../src/execution/kv-transaction.ts";
import type { Home } from "../src/node/open-home.ts";
import { bootstrapEntry, type ConfigurationCodec } from "../src/raft/membership.ts";
import type { Entry, ServerId } from "../src/raft/types.ts";
import { openBlockStore } from "../src/storage/open-block-store.ts";
import { openRaftStore } from "../src/storage/open-raft-store.ts";
import { decodeConfiguration, encodeConfiguration } from "../src/transport/configuration.ts";

export interface LongChain {
  readonly config: NodeConfig;
  readonly home: Home;
  /** How many; at least `trailingLogs`. */
  readonly blocks: number;
  /** Of the one transaction in each block. */
  readonly txBytes: number;
  /** Entries that the log still has. */
  readonly trailingLogs: number;
}

/** Keys that the transactions write to, in turn: the state stops growing where a real one would. */
const keyCount = 100_000;
const blockTimeNs = 1_000_000_000n;
const term = 1;

/** Writes into the empty directories that the configuration of a cluster's only member names. */
export async function writeLongChain(chain: LongChain): Promise<void> {
  const lastPayloads = await writeBlocks(chain);
  const { config, blocks } = chain;
  const { chainId } = chain.home.genesis;
  await writeLog(config, { blocks, lastPayloads, chainId, memberIds: [config.raft.nodeId] });
}

/** Blocks and state. Resolves to the payloads of the last blocks, for the log. */
export async function writeBlocks(chain: LongChain): Promise<readonly BlockPayload[]> {
  const { config, home, blocks, txBytes, trailingLogs } = chain;
  const { chainId, initialHeight, startTimeNs: genesisTimeNs } = home.genesis;
  const genesis = { chainId, initialHeight, genesisTimeNs };
  const executor = new KvExecutor({ directory: config.dbPath });
  const { appHash } = await executor.initChain(genesis);
  const store = await openBlockStore({
    directory: config.dbPath,
    genesis: { ...genesis, genesisHash: home.genesisHash, appHash },
    txWindow: config.cluster.txIdentityWindow,
  });
  const last: BlockPayload[] = [];
  for (let nth = 0; nth < blocks; nth++) {
    const { head } = store;
    const tx = transaction(head.height + 1, txBytes);
    const payload = buildBlock({
      head,
      genesis,
      txs: [tx],
      txIds: [identity(head.height + 1)],
      nowNs: genesisTimeNs + BigInt(nth) * blockTimeNs,
      proposer: home.signer.signer,
    });
    const { height, hash, timestampNs, data, txIds } = payload;
    const prevAppHash = head.appHash;
    const result = await executor.executeTxs({ height, timestampNs, txs: data.txs, prevAppHash });
    await store.append({
      height,
      hash,
      header: home.signer.sign(payload.header.header),
      data,
      txIds,
      appHash: result.appHash,
      raftIndex: indexOf(nth),
      raftTerm: term,
    });
    last.push(payload);
    // One more, for the snapshot before the log.
    if (last.length > trailingLogs + 1) last.shift();
    // What only waits for the event loop (flushes) shall not pile up.
    if (nth % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await store.close();
  await executor.close();
  return last;
}

export interface LongLog {
  readonly blocks: number;
  readonly lastPayloads: readonly BlockPayload[];
  readonly chainId: string;
  readonly memberIds: readonly ServerId[];
}

/** The log of any member: from its first entry if it gets all payloads, else compacted. */
export async function writeLog(config: NodeConfig, log: LongLog): Promise<void> {
  const { blocks, lastPayloads, chainId, memberIds } = log;
  const store = await openRaftStore({
    directory: config.raft.raftDir,
    allowVolatile: config.storage.allowVolatile,
    owner: { nodeId: config.raft.nodeId, chainId },
  });
  const isWhole = lastPayloads.length === blocks;
  const [beforeLog, ...inLog] = lastPayloads.map(encodeBlockPayload);
  const commands = isWhole ? lastPayloads.map(encodeBlockPayload) : inLog;
  const firstIndex = indexOf(blocks - commands.length);
  const first = bootstrapEntry(memberIds, codec);
  await new Promise<void>((resolve, reject) => {
    store.persist(
      {
        sequence: 1,
        hardState: { currentTerm: term, votedFor: null },
        snapshot: isWhole
          ? null
          : {
              last: { index: firstIndex - 1, term },
              configuration: codec.decode(first),
              configurationIndex: first.index,
              data: defined(beforeLog, "there are blocks before the log"),
            },
        truncateFrom: null,
        entries: [
          ...(isWhole ? [first] : []),
          ...commands.map((data, at): Entry => {
            const index = firstIndex + at;
            return { index, term, kind: "command", data, extensions: null, appendedAt: null };
          }),
        ],
      },
      (error) => (error === null ? resolve() : reject(error)),
    );
  });
  await store.close();
}

const codec: ConfigurationCodec = {
  encode: encodeConfiguration,
  decode: ({ data }) => decodeConfiguration(defined(data, "a configuration entry has data")),
};

/** The first entry is the configuration. */
function indexOf(nth: number): number {
  return nth + 2;
}

function transaction(height: number, sizeBytes: number): Uint8Array {
  const key = new TextEncoder().encode(`key-${height % keyCount}`);
  const value = new Uint8Array(sizeBytes - key.length - 1).fill("a".charCodeAt(0) + (height % 26));
  return defined(formatKvTransaction(key, value), "the transaction is well formed");
}

function identity(height: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, height);
  return bytes;
}
