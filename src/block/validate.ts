/**
 * Whether a committed entry is the block that comes next. Every node asks this of every entry before
 * it signs or executes anything.
 */

import { emptyBytes, equalBytes, toHex } from "../base/bytes.ts";
import { dataHashes, headerHash } from "./hash.ts";
import type { SignatureChecker } from "./sign.ts";
import type { BlockPayload, ChainHead, Data, Header } from "./types.ts";
import { mismatch, type Refusal, refuse } from "./verdict.ts";
import { checkData, checkProposer, checkSignature, wrongChain } from "./verify.ts";

export type BlockVerdict =
  | {
      readonly kind: "ok";
      /** Of the data with its metadata: the next head's `dataHash`. */
      readonly dataHash: Uint8Array;
    }
  | Refusal;

export interface BlockExpectations {
  readonly chainId: string;
  readonly proposerAddress: Uint8Array;
  /** True of a transaction that an earlier block holds, so that none is executed twice (P7). */
  isKnownTx(txId: Uint8Array): boolean;
  /** Blocks of ev-node members, which know no transaction identities, are taken as well. */
  readonly acceptsBlocksWithoutTxIds: boolean;
  readonly signatures: SignatureChecker;
}

export function checkBlock(
  payload: BlockPayload,
  head: ChainHead,
  expected: BlockExpectations,
): BlockVerdict {
  const { header } = payload.header;
  const hashes = dataHashes(payload.data);
  return (
    checkIdentity(header, expected) ??
    checkLink(header, head) ??
    checkEntry(payload) ??
    checkEarlySignature(payload, expected) ??
    checkData(header, payload.data, hashes.commitment) ??
    checkLastDataHash(payload.data, head) ??
    checkTxIds(payload, expected) ?? { kind: "ok", dataHash: hashes.hash }
  );
}

/** Null if the header follows `head`: by height, hash, time and state. */
export function checkLink(header: Header, head: ChainHead): Refusal | null {
  if (header.height !== head.height + 1) {
    return refuse("height", `height ${header.height} does not follow ${head.height}`);
  }
  if (!equalBytes(header.lastHeaderHash, head.hash)) {
    return refuse("parentHash", mismatch("the parent's hash", header.lastHeaderHash, head.hash));
  }
  // The first block has the time of the genesis. Later ones strictly increase: ev-node's block check
  // lets equal times pass, but its Raft log does not, and drops the second block unseen.
  const isFirst = head.hash.length === 0;
  if (isFirst ? header.timeNs < head.timeNs : header.timeNs <= head.timeNs) {
    return refuse("time", `time ${header.timeNs} ns is not after ${head.timeNs} ns`);
  }
  if (equalBytes(header.appHash, head.appHash)) return null;
  return refuse("appHash", mismatch("the state before it", header.appHash, head.appHash));
}

/** Null if the entry is of this chain and its proposer, and its hash is the header's: what needs no head to check. */
export function checkClaims(payload: BlockPayload, expected: Identity): Refusal | null {
  return checkIdentity(payload.header.header, expected) ?? checkEntry(payload);
}

type Identity = Pick<BlockExpectations, "chainId" | "proposerAddress">;

function checkIdentity(header: Header, expected: Identity): Refusal | null {
  if (header.chainId !== expected.chainId) return wrongChain(header, expected.chainId);
  return checkProposer(header, expected.proposerAddress);
}

/** What the log entry says about its block is what the block says. */
function checkEntry(payload: BlockPayload): Refusal | null {
  const { header } = payload.header;
  if (payload.height !== header.height) {
    return refuse("height", `the entry says height ${payload.height}, its header ${header.height}`);
  }
  if (payload.timestampNs !== header.timeNs) {
    const times = `${payload.timestampNs} ns, its header ${header.timeNs} ns`;
    return refuse("timestamp", `the entry says time ${times}`);
  }
  const hash = headerHash(header);
  if (equalBytes(payload.hash, hash)) return null;
  return refuse(
    "hash",
    `the entry says hash 0x${toHex(payload.hash)}, its header 0x${toHex(hash)}`,
  );
}

/** A block that was signed before its commit (by ev-node, or by configuration) is signed rightly. */
function checkEarlySignature(payload: BlockPayload, expected: BlockExpectations): Refusal | null {
  if (payload.header.signature.length === 0) return null;
  return checkSignature(payload.header, expected.signatures);
}

function checkLastDataHash({ metadata }: Data, head: ChainHead): Refusal | null {
  const lastDataHash = metadata?.lastDataHash ?? emptyBytes;
  if (equalBytes(lastDataHash, head.dataHash)) return null;
  const reason = mismatch("the last data's hash", lastDataHash, head.dataHash);
  return refuse("lastDataHash", reason);
}

function checkTxIds({ data, txIds }: BlockPayload, expected: BlockExpectations): Refusal | null {
  if (txIds.length === 0 && expected.acceptsBlocksWithoutTxIds) return null;
  if (txIds.length !== data.txs.length) {
    return refuse("txIds", `${data.txs.length} transactions come with ${txIds.length} identities`);
  }
  const seen = new Set<string>();
  for (const id of txIds) {
    const name = toHex(id);
    if (id.length === 0) return refuse("txIds", "a transaction's identity is empty");
    if (seen.has(name)) return refuse("duplicateTx", `transaction 0x${name} is in it twice`);
    if (expected.isKnownTx(id)) {
      return refuse("knownTx", `transaction 0x${name} was executed before`);
    }
    seen.add(name);
  }
  return null;
}
