/** Who signs a block, and whether a signature holds. Over the header's encoding, as it is (3.3). */

import { type KeyObject, sign, verify } from "node:crypto";
import { equalBytes } from "../base/bytes.ts";
import { encodeHeader } from "./codec.ts";
import {
  libp2pPublicKey,
  publicKeyFromRaw,
  rawFromLibp2p,
  rawPublicKey,
  signatureBytes,
} from "./ed25519.ts";
import { encodeLegacyHeader, isLegacy, sha256 } from "./hash.ts";
import type { Header, SignedHeader, Signer } from "./types.ts";

/** The address by which headers and the genesis name a proposer. */
export function proposerAddress(rawKey: Uint8Array): Uint8Array {
  return sha256(rawKey);
}

export function signerFromPublicKey(rawKey: Uint8Array): Signer {
  return { address: proposerAddress(rawKey), publicKey: libp2pPublicKey(rawKey) };
}

/** Signs headers with the chain's key. Deterministic: every holder of the key makes the same signature. */
export class BlockSigner {
  readonly signer: Signer;
  readonly #privateKey: KeyObject;

  constructor(privateKey: KeyObject) {
    this.signer = signerFromPublicKey(rawPublicKey(privateKey));
    this.#privateKey = privateKey;
  }

  sign(header: Header): SignedHeader {
    const signature = new Uint8Array(sign(null, encodeHeader(header), this.#privateKey));
    return { header, signature, signer: this.signer };
  }
}

/**
 * Checks signatures, keeping the key of the last signer: a chain has one for thousands of headers,
 * and making a key object costs as much as a verification.
 */
export class SignatureChecker {
  #known: { readonly encoded: Uint8Array; readonly key: KeyObject } | null = null;

  /** True if the signer's key, an Ed25519 one, made the signature. */
  verify({ header, signature, signer }: SignedHeader): boolean {
    if (signature.length !== signatureBytes) return false;
    const key = this.#keyOf(signer);
    if (key === null) return false;
    if (verify(null, encodeHeader(header), key, signature)) return true;
    return isLegacy(header) && verify(null, encodeLegacyHeader(header), key, signature);
  }

  #keyOf({ publicKey }: Signer): KeyObject | null {
    if (this.#known !== null && equalBytes(this.#known.encoded, publicKey)) return this.#known.key;
    const raw = rawFromLibp2p(publicKey);
    if (raw === null) return null;
    const key = publicKeyFromRaw(raw);
    // A copy: decoded fields share memory with the message they came in.
    this.#known = { encoded: publicKey.slice(), key };
    return key;
  }
}
