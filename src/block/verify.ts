/**
 * Blocks from strangers: what a signed header proves by itself, and that data belongs to it. The
 * header exchange checks neither signature nor proposer, so it is for its users.
 */

import { equalBytes } from "../base/bytes.ts";
import { rawFromLibp2p } from "./ed25519.ts";
import { dataHashes } from "./hash.ts";
import { proposerAddress, type SignatureChecker } from "./sign.ts";
import type { Data, Header, SignedHeader } from "./types.ts";
import { mismatch, type Refusal, refuse } from "./verdict.ts";

/** How far a header may be ahead of our clock; ev-node's limit. */
export const clockDriftMaxNs = 60_000_000_000n;

export interface HeaderExpectations {
  readonly chainId: string;
  readonly proposerAddress: Uint8Array;
  readonly nowNs: bigint;
  readonly signatures: SignatureChecker;
}

/** Null if the chain's proposer signed this header of the chain, and it is not from the future. */
export function verifySignedHeader(
  signed: SignedHeader,
  expected: HeaderExpectations,
): Refusal | null {
  const { header } = signed;
  if (header.chainId !== expected.chainId) return wrongChain(header, expected.chainId);
  if (header.timeNs === 0n) return refuse("time", "it has no time");
  if (header.timeNs > expected.nowNs + clockDriftMaxNs) {
    const ahead = (header.timeNs - expected.nowNs) / 1_000_000n;
    return refuse("time", `it is ${ahead} ms ahead of this machine's clock; check both clocks`);
  }
  return (
    checkProposer(header, expected.proposerAddress) ?? checkSignature(signed, expected.signatures)
  );
}

/** Null if the block's data belongs to `header`. For data that came apart from its header. */
export function verifyData(header: Header, data: Data): Refusal | null {
  return checkData(header, data, dataHashes(data).commitment);
}

/** Null if the signer is the header's proposer, and the signature is the signer's. */
export function checkSignature(signed: SignedHeader, signatures: SignatureChecker): Refusal | null {
  const { header, signature, signer } = signed;
  if (signature.length === 0) return refuse("signature", "it is not signed");
  const rawKey = rawFromLibp2p(signer.publicKey);
  if (rawKey === null) {
    const got = `${signer.publicKey.length} bytes`;
    return refuse("signer", `the signer's public key (${got}) is not Ed25519 in libp2p's encoding`);
  }
  const address = proposerAddress(rawKey);
  if (!equalBytes(signer.address, address)) {
    return refuse("signer", mismatch("the signer's address", signer.address, address));
  }
  if (!equalBytes(header.proposerAddress, address)) {
    return refuse("signer", mismatch("the proposer", header.proposerAddress, address));
  }
  if (signatures.verify(signed)) return null;
  return refuse("signature", "the signature does not match the header");
}

export function wrongChain(header: Header, chainId: string): Refusal {
  const chains = `${JSON.stringify(header.chainId)}, not ${JSON.stringify(chainId)}`;
  return refuse("chainId", `it is of chain ${chains}`);
}

export function checkProposer(header: Header, address: Uint8Array): Refusal | null {
  if (header.proposerAddress.length > 0 && equalBytes(header.proposerAddress, address)) return null;
  return refuse("proposer", mismatch("the proposer", header.proposerAddress, address));
}

/** Null if the metadata is the header's, and the header commits to the transactions (3.4). */
export function checkData(header: Header, data: Data, commitment: Uint8Array): Refusal | null {
  const { metadata } = data;
  if (metadata === null) return refuse("metadata", "its data has no metadata");
  if (
    metadata.chainId !== header.chainId ||
    metadata.height !== header.height ||
    metadata.timeNs !== header.timeNs
  ) {
    const of = `${metadata.chainId} height ${metadata.height} time ${metadata.timeNs} ns`;
    return refuse("metadata", `its data is that of another block (${of})`);
  }
  if (equalBytes(header.dataHash, commitment)) return null;
  return refuse("dataHash", mismatch("the data's hash", header.dataHash, commitment));
}
