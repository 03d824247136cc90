/** A node in memory: one member, a key-value store, and a block for every transaction. */

import { createHash } from "node:crypto";
import { assert } from "../../src/base/assert.ts";
import { concatBytes, emptyBytes, equalBytes, toHex } from "../../src/base/bytes.ts";
import { BlockError } from "../../src/block/errors.ts";
import type { SubmitOutcome, SubmitRequest } from "../../src/block/submit.ts";
import type {
  BlockReader,
  ChainHead,
  Height,
  StoredBlock,
  TxLocation,
} from "../../src/block/types.ts";
import type {
  ClusterMember,
  ClusterStatus,
  EthereumClient,
  Health,
  NetworkFacts,
  NodeApi,
  RaftStatus,
  ReadOutcome,
  StatusFacts,
  TransferOutcome,
} from "../../src/rpc/api.ts";

export const genesisTimeNs = 1_750_000_000_000_000_000n;
export const txMaxBytes = 4096;
export const queueMax = 3;

export class MemoryNode implements NodeApi {
  readonly blocks = new MemoryChain();
  /** To be set before the server is made. */
  ethereum: EthereumClient | null = null;
  readonly members: ClusterMember[] = ["node-1", "node-2", "node-3"].map(member);
  /** Of every submission that was abandoned by its client. */
  readonly abandoned: string[] = [];
  /** Runs when a submission has arrived. */
  onSubmit: () => void = () => {};
  /** null: a single sequencer. */
  raft: RaftStatus | null = {
    nodeId: "node-1",
    role: "leader",
    leaderId: "node-1",
    term: 3,
    commitIndex: 42,
    appliedIndex: 41,
    lastLogIndex: 43,
    firstLogIndex: 7,
    state: "producing",
  };
  /** null: healthy. */
  unreadyReason: string | null = null;
  /** Thrown by every question about the node, if set. */
  fault: Error | null = null;
  /** Whether commits wait for `release`. */
  isHolding = false;
  /** Whether a proposal was on its way when the majority went. */
  lostMajority: { readonly mayCommit: boolean } | null = null;

  readonly #state = new Map<string, Uint8Array>();
  readonly #known = new Map<string, TxLocation>();
  readonly #held: (() => void)[] = [];
  #accepted = 0;

  async status(): Promise<StatusFacts> {
    this.#checkFault();
    return {
      chainId: "test-chain",
      moniker: "host-a",
      peerId: "12D3KooWtest",
      p2pListenAddress: "/ip4/0.0.0.0/tcp/7676",
      rpcAddress: "tcp://0.0.0.0:26657",
      version: "0.1.0",
      validatorAddress: Uint8Array.from([0xab, 0xcd]),
      validatorPublicKey: Uint8Array.from([8, 1, 18, 32, ...new Array<number>(32).fill(7)]),
      catchingUp: false,
      memberCount: this.raft === null ? 1 : this.members.length,
      raft: this.raft,
    };
  }

  async cluster(): Promise<ClusterStatus> {
    this.#checkFault();
    return {
      leaderId: this.raft?.leaderId ?? null,
      term: this.raft?.term ?? 0,
      nodes: this.raft === null ? [] : this.members,
      commitIndex: 42,
      lastApplied: 41,
    };
  }

  async network(): Promise<NetworkFacts> {
    this.#checkFault();
    return {
      addresses: ["/ip4/127.0.0.1/tcp/7676/p2p/12D3KooWtest"],
      peers: [
        { peerId: "12D3KooWpeer", address: "/ip4/10.0.0.2/tcp/26656", direction: "outbound" },
      ],
    };
  }

  async live(): Promise<Health> {
    return this.#health();
  }

  async ready(): Promise<Health> {
    return this.#health();
  }

  async leader(): Promise<Health> {
    return this.#health();
  }

  async submit({ tx, idempotencyKey, wait, signal }: SubmitRequest): Promise<SubmitOutcome> {
    this.onSubmit();
    this.#checkFault();
    const txId =
      idempotencyKey === null
        ? sha256(tx).subarray(0, 8)
        : new TextEncoder().encode(idempotencyKey);
    if (tx.length > txMaxBytes) return { kind: "tooLarge", maxBytes: txMaxBytes };
    if (!tx.includes(0x3d)) return { kind: "invalid", reason: "a transaction is key=value" };
    if (this.#accepted >= queueMax) return { kind: "queueFull", retryAfterMs: 1500 };
    if (wait === "accept") {
      this.#accepted += 1;
      return { kind: "accepted", txId };
    }
    if (this.isHolding) await this.#hold(toHex(txId), signal);
    if (this.lostMajority !== null) {
      const { mayCommit } = this.lostMajority;
      const executesOnce = idempotencyKey !== null;
      return { kind: "unavailable", reason: "no leader within 15s", txId, mayCommit, executesOnce };
    }
    const known = this.#known.get(toHex(txId));
    const location = known ?? this.#commit(tx, txId);
    if (idempotencyKey !== null) this.#known.set(toHex(txId), location);
    return { kind: "committed", txId, location };
  }

  async readState(
    key: Uint8Array,
    consistency: "linearizable" | "stale",
    _signal: AbortSignal,
  ): Promise<ReadOutcome> {
    if (this.raft === null) return { kind: "unsupported", reason: "the execution client has it" };
    if (consistency === "linearizable" && this.lostMajority !== null) {
      return { kind: "unavailable", reason: "no leader" };
    }
    const value = this.#state.get(toHex(key)) ?? null;
    return { kind: "value", value, height: this.blocks.head.height };
  }

  async transferLeadership(targetId: string | null): Promise<TransferOutcome> {
    if (this.raft === null) return { kind: "failed", reason: "there is nobody else" };
    if (this.raft.role !== "leader") return { kind: "notLeader", leaderId: this.raft.leaderId };
    const leaderId = targetId ?? "node-2";
    this.raft = { ...this.raft, role: "follower", leaderId, state: "following" };
    return { kind: "transferred", leaderId };
  }

  /** Lets the held commits go on. */
  release(): void {
    for (const go of this.#held.splice(0)) go();
  }

  #hold(txId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#held.push(resolve);
      signal.addEventListener("abort", () => {
        this.abandoned.push(txId);
        reject(new Error("abandoned"));
      });
    });
  }

  #commit(tx: Uint8Array, txId: Uint8Array): TxLocation {
    const equals = tx.indexOf(0x3d);
    this.#state.set(toHex(tx.subarray(0, equals)), tx.slice(equals + 1));
    return { height: this.blocks.append([tx], [txId]), index: 0 };
  }

  #health(): Health {
    this.#checkFault();
    return { isHealthy: this.unreadyReason === null, reason: this.unreadyReason ?? "" };
  }

  #checkFault(): void {
    if (this.fault !== null) throw this.fault;
  }
}

/** Blocks with honest hashes over a made-up header encoding. */
export class MemoryChain implements BlockReader {
  readonly #blocks: StoredBlock[] = [];
  earliestHeight: Height | null = null;
  damagedHeight: Height | null = null;
  reads = 0;

  get head(): ChainHead {
    const last = this.#blocks.at(-1);
    return {
      height: last?.height ?? 0,
      hash: last?.hash ?? emptyBytes,
      dataHash: last?.header.header.dataHash ?? emptyBytes,
      timeNs: last?.header.header.timeNs ?? genesisTimeNs,
      appHash: last?.appHash ?? emptyBytes,
      raftIndex: last?.raftIndex ?? 0,
      raftTerm: last?.raftTerm ?? 0,
    };
  }

  blockAt(height: Height): StoredBlock | null {
    this.reads += 1;
    if (height === this.damagedHeight) {
      throw new BlockError({ code: "BLOCK_DAMAGED", height }, `Block ${height} is damaged.`);
    }
    const block = this.#blocks[height - 1];
    return block === undefined || height < (this.earliestHeight ?? 1) ? null : block;
  }

  heightOf(hash: Uint8Array): Height | null {
    return this.#blocks.find((block) => equalBytes(block.hash, hash))?.height ?? null;
  }

  append(txs: readonly Uint8Array[], txIds: readonly Uint8Array[]): Height {
    const { head } = this;
    const height = head.height + 1;
    const timeNs = genesisTimeNs + BigInt(height) * 1_000_000_500n;
    const dataHash = sha256(concatBytes(txs));
    const hash = sha256(concatBytes([head.hash, dataHash, Uint8Array.of(height % 256)]));
    assert(hash.length === 32, "a hash has 32 bytes");
    this.#blocks.push({
      height,
      hash,
      header: {
        header: {
          version: { block: 11, app: 1 },
          height,
          timeNs,
          lastHeaderHash: head.hash,
          dataHash,
          appHash: head.appHash,
          proposerAddress: Uint8Array.of(0xab, 0xcd),
          validatorHash: emptyBytes,
          chainId: "test-chain",
        },
        signature: Uint8Array.of(5, 6, 7),
        signer: { address: Uint8Array.of(0xab, 0xcd), publicKey: Uint8Array.of(8, 1) },
      },
      data: {
        metadata: { chainId: "test-chain", height, timeNs, lastDataHash: head.dataHash },
        txs,
      },
      txIds,
      appHash: sha256(hash),
      raftIndex: height + 1,
      raftTerm: 1,
    });
    this.earliestHeight ??= height;
    return height;
  }
}

function member(id: string, at: number): ClusterMember {
  return {
    id,
    address: `10.0.0.${at + 1}:5001`,
    role: at === 0 ? "leader" : "follower",
    suffrage: "voter",
    health: at === 2 ? "Unreachable" : "Healthy",
    lastHeartbeat: at === 0 ? null : "2025-06-15T10:30:00.000Z",
    rttMs: at === 0 ? null : 1.5,
    matchIndex: 40 + at,
    height: at,
  };
}

function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash("sha256").update(bytes).digest());
}
