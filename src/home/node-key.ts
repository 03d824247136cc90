/** node_key.json: who this node is to its peers. Every node has its own. */

import { randomBytes } from "node:crypto";
import { equalBytes } from "../base/bytes.ts";
import { publicKeyBytes, seedBytes } from "../block/ed25519.ts";
import { fieldError, HomeError } from "./errors.ts";
import { JsonFields, toBase64 } from "./json.ts";
import { peerIdFromPublicKey } from "./peer-id.ts";
import { readText, writePrivateFile } from "./private-file.ts";
import {
  type KeyPair,
  keyPairFromRaw,
  keyPairFromSeed,
  rawPrivateKey,
  rawPrivateKeyLengths,
} from "./raw-key.ts";

export interface NodeKey extends KeyPair {
  /** 64 bytes, as libp2p takes it. */
  readonly rawPrivateKey: Uint8Array;
  readonly peerId: string;
}

const advice = "Run evm init to make one, or move the damaged file away: the peer id then changes";

/** Makes the key of a new node. Throws HomeError, HOME_EXISTS if there is one. */
export async function createNodeKey(path: string): Promise<NodeKey> {
  const pair = keyPairFromSeed(randomBytes(seedBytes));
  await writePrivateFile(path, formatNodeKey(pair), { overwrite: false });
  return nodeKey(pair);
}

/** Throws HomeError with the file and the field that is wrong. */
export async function readNodeKey(path: string): Promise<NodeKey> {
  return parseNodeKey(path, await readText(path, advice));
}

/** The node's key, made if there is none: then its peers know it by another peer id, or not yet. */
export async function readOrCreateNodeKey(
  path: string,
): Promise<{ readonly nodeKey: NodeKey; readonly isNew: boolean }> {
  try {
    return { nodeKey: await readNodeKey(path), isNew: false };
  } catch (error) {
    if (!(error instanceof HomeError) || error.code !== "HOME_MISSING") throw error;
    return { nodeKey: await createNodeKey(path), isNew: true };
  }
}

export function parseNodeKey(path: string, text: string): NodeKey {
  const fields = new JsonFields(path, text, advice);
  const pair = keyPairFromRaw(fields.bytesOf("priv_key", rawPrivateKeyLengths));
  if (pair === null) {
    const sentence = `priv_key is damaged: its public half does not belong to it. ${advice}`;
    throw fieldError(path, "priv_key", sentence);
  }
  if (!equalBytes(pair.publicKey, fields.bytesOf("pub_key", [publicKeyBytes]))) {
    throw fieldError(path, "pub_key", `pub_key is not the public key of priv_key. ${advice}`);
  }
  return nodeKey(pair);
}

/** One line without spaces, as ev-node writes it. */
export function formatNodeKey(pair: KeyPair): string {
  return JSON.stringify({
    priv_key: toBase64(rawPrivateKey(pair)),
    pub_key: toBase64(pair.publicKey),
  });
}

function nodeKey(pair: KeyPair): NodeKey {
  const peerId = peerIdFromPublicKey(pair.publicKey);
  return { ...pair, rawPrivateKey: rawPrivateKey(pair), peerId };
}
