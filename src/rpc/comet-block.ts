/** A block in the shape of CometBFT's `block`. What CometBFT has and ev-node's header has not is empty. */

import type { BlockReader, Header, StoredBlock } from "../block/types.ts";
import { base64, rfc3339Nano, upperHex } from "./encoding.ts";

export function cometBlock(blocks: BlockReader, block: StoredBlock): object {
  const { header } = block.header;
  return {
    block_id: blockId(block.hash),
    block: {
      header: cometHeader(header),
      data: { txs: block.data.txs.map(base64) },
      evidence: { evidence: [] },
      last_commit: lastCommit(blocks.blockAt(block.height - 1)),
    },
  };
}

function cometHeader(header: Header): object {
  return {
    version: { block: String(header.version.block), app: String(header.version.app) },
    chain_id: header.chainId,
    height: String(header.height),
    time: rfc3339Nano(header.timeNs),
    last_block_id: blockId(header.lastHeaderHash),
    last_commit_hash: "",
    data_hash: upperHex(header.dataHash),
    validators_hash: upperHex(header.validatorHash),
    next_validators_hash: upperHex(header.validatorHash),
    consensus_hash: "",
    app_hash: upperHex(header.appHash),
    last_results_hash: "",
    evidence_hash: "",
    proposer_address: upperHex(header.proposerAddress),
  };
}

function blockId(hash: Uint8Array): object {
  return { hash: upperHex(hash), parts: { total: hash.length === 0 ? 0 : 1, hash: "" } };
}

/** CometBFT's blocks carry the signatures of the block before. */
function lastCommit(before: StoredBlock | null): object {
  if (before === null) {
    return { height: "0", round: 0, block_id: blockId(new Uint8Array(0)), signatures: [] };
  }
  const { header, signature, signer } = before.header;
  return {
    height: String(before.height),
    round: 0,
    block_id: blockId(before.hash),
    signatures: [
      {
        /** BLOCK_ID_FLAG_COMMIT */
        block_id_flag: 2,
        validator_address: upperHex(signer.address),
        timestamp: rfc3339Nano(header.timeNs),
        signature: base64(signature),
      },
    ],
  };
}
