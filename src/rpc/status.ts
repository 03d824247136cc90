/**
 * `GET /status`: CometBFT's shape with `raft_info` beside it. On the top level, which CometBFT's
 * clients ignore, stand the short fields that a person or a script wants: nodeId, role, term, peers,
 * blockHeight, status.
 */

import { readableBlock } from "../block/readable.ts";
import type { BlockReader, Height } from "../block/types.ts";
import { json, type Route } from "./answer.ts";
import type { NodeApi, RaftStatus, StatusFacts } from "./api.ts";
import { base64, rfc3339Nano, upperHex } from "./encoding.ts";

/** CometBFT's protocol numbers; nothing here speaks them, and its clients want to see them. */
const protocolVersion = { p2p: "8", block: "11", app: "0" };

export function statusRoutes(api: NodeApi, statusResult: StatusResult): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/status",
      summary: "Height, catching up or not, role and term; CometBFT's shape",
      handle: async () => {
        const facts = await api.status();
        return json({
          jsonrpc: "2.0",
          id: -1,
          result: statusResult(facts),
          ...shortStatus(facts, api.blocks.head.height),
        });
      },
    },
  ];
}

/** The `result` of CometBFT's `status`. */
export type StatusResult = (facts: StatusFacts) => object;

export function createStatusResult(blocks: BlockReader): StatusResult {
  const earliest = createEarliest(blocks);
  return (facts) => ({
    node_info: {
      protocol_version: protocolVersion,
      id: facts.peerId,
      listen_addr: facts.p2pListenAddress,
      network: facts.chainId,
      version: facts.version,
      channels: "",
      moniker: facts.moniker,
      other: { tx_index: "on", rpc_address: facts.rpcAddress },
    },
    sync_info: {
      ...latest(blocks),
      ...earliest(),
      catching_up: facts.catchingUp,
    },
    validator_info: {
      address: upperHex(facts.validatorAddress),
      pub_key: {
        type: "tendermint/PubKeyEd25519",
        value: base64(rawEd25519Key(facts.validatorPublicKey)),
      },
      voting_power: leads(facts) ? "1" : "0",
    },
    raft_info: raftInfo(facts.raft),
  });
}

/** The app hash is the state after the block, as in `/block`: CometBFT's headers hold the one before. */
function latest({ head }: BlockReader): object {
  return {
    latest_block_hash: upperHex(head.hash),
    latest_app_hash: upperHex(head.appHash),
    latest_block_height: String(head.height),
    latest_block_time: rfc3339Nano(head.timeNs),
  };
}

/** The earliest block changes only when blocks are pruned, so it is read once and not for every request. */
function createEarliest(blocks: BlockReader): () => object {
  let known: { readonly height: Height; readonly fields: object } | null = null;
  return () => {
    const height = blocks.earliestHeight;
    if (height !== null && known?.height === height) return known.fields;
    if (height === null) return noEarliest;
    // A damaged block is no reason to say nothing of all the rest.
    const block = readableBlock(blocks, height);
    if (block === null) return { ...noEarliest, earliest_block_height: String(height) };
    const fields = {
      earliest_block_hash: upperHex(block.hash),
      earliest_app_hash: upperHex(block.appHash),
      earliest_block_height: String(block.height),
      earliest_block_time: rfc3339Nano(block.header.header.timeNs),
    };
    known = { height: block.height, fields };
    return fields;
  };
}

/** As CometBFT says it before the first block, with Go's zero time. */
const noEarliest = {
  earliest_block_hash: "",
  earliest_app_hash: "",
  earliest_block_height: "0",
  earliest_block_time: "0001-01-01T00:00:00Z",
};

function raftInfo(raft: RaftStatus | null): object | null {
  return (
    raft && {
      node_id: raft.nodeId,
      role: raft.role,
      leader_id: raft.leaderId,
      term: raft.term,
      commit_index: raft.commitIndex,
      applied_index: raft.appliedIndex,
      last_log_index: raft.lastLogIndex,
      first_log_index: raft.firstLogIndex,
      state: raft.state,
    }
  );
}

function shortStatus(facts: StatusFacts, blockHeight: Height): object {
  return {
    nodeId: facts.raft?.nodeId ?? facts.moniker,
    role: facts.raft?.role ?? "leader",
    term: facts.raft?.term ?? 0,
    peers: facts.memberCount,
    blockHeight,
    status: "running",
  };
}

/** A single sequencer leads itself. */
function leads({ raft }: StatusFacts): boolean {
  return raft === null || raft.role === "leader";
}

/** libp2p's PublicKey message around an Ed25519 key: type 1, then 32 bytes of data. */
const libp2pKeyPrefix = [0x08, 0x01, 0x12, 0x20];

function rawEd25519Key(publicKey: Uint8Array): Uint8Array {
  const isWrapped =
    publicKey.length === 36 && libp2pKeyPrefix.every((byte, at) => publicKey[at] === byte);
  return isWrapped ? publicKey.subarray(libp2pKeyPrefix.length) : publicKey;
}
