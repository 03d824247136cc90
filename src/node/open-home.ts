/** The files of a home directory that a node needs, checked against one another. */

import { join } from "node:path";
import { equalBytes } from "../base/bytes.ts";
import { BlockSigner } from "../block/sign.ts";
import type { NodeConfig } from "../config/schema.ts";
import { fieldError } from "../home/errors.ts";
import { type Genesis, genesisHash, readGenesis } from "../home/genesis.ts";
import { homeLayout } from "../home/layout.ts";
import { type NodeKey, readOrCreateNodeKey } from "../home/node-key.ts";
import { openSigner } from "../home/signer-file.ts";

export interface Home {
  readonly genesis: Genesis;
  readonly genesisHash: Uint8Array;
  readonly signer: BlockSigner;
  /** The signer's raw public key. */
  readonly signerPublicKey: Uint8Array;
  readonly nodeKey: NodeKey;
  /** For the operator. */
  readonly warnings: readonly string[];
}

/** Throws HomeError with the file and what is wrong in it. */
export async function openHome(config: NodeConfig, passphrase: string): Promise<Home> {
  const { genesisFile, nodeKeyFile } = homeLayout(config.home);
  const genesis = await readGenesis(genesisFile);
  const keys = await openSigner(join(config.signer.signerPath, "signer.json"), passphrase);
  const signer = new BlockSigner(keys.privateKey);
  if (!equalBytes(signer.signer.address, genesis.proposerAddress)) {
    throw fieldError(
      genesisFile,
      "proposer_address",
      `proposer_address is not the address of ${config.signer.signerPath}/signer.json. All members of a ` +
        "cluster share both files: copy them from the same node",
    );
  }
  const { nodeKey, isNew } = await readOrCreateNodeKey(nodeKeyFile);
  return {
    genesis,
    genesisHash: genesisHash(genesis),
    signer,
    signerPublicKey: keys.publicKey,
    nodeKey,
    warnings: isNew ? [newKeyWarning(nodeKeyFile, nodeKey)] : [],
  };
}

function newKeyWarning(path: string, { peerId }: NodeKey): string {
  return (
    `${path} did not exist: a new one was made, and this node's peer id is ${peerId}. Where the p2p.peers of ` +
    "other nodes name it by another one, correct them, or bring back the old file and start again"
  );
}
