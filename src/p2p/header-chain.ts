/**
 * Trust runs downward: a header is genuine if its hash is the one that the header above it names, and
 * the topmost hash is known from Raft. The hash covers everything but the signature.
 */

import { equalBytes, toHex } from "../base/bytes.ts";
import { headerHash } from "../block/hash.ts";
import type { Height, SignedHeader } from "../block/types.ts";
import {
  checkProposer,
  checkSignature,
  type HeaderExpectations,
  wrongChain,
} from "../block/verify.ts";
import { foreignChain } from "./errors.ts";

/** A header, and who sent it. */
export interface FetchedHeader {
  readonly signed: SignedHeader;
  readonly hash: Uint8Array;
  readonly peerId: string;
}

/** Why an item cannot be of this chain, and who sent it. */
export interface Lie {
  readonly peerId: string;
  readonly reason: string;
}

export function withHash(signed: SignedHeader, peerId: string): FetchedHeader {
  return { signed, hash: headerHash(signed.header), peerId };
}

/** Null if each header names the one before it. What one peer sent in one answer proves that much by itself. */
export function brokenLink(headers: readonly FetchedHeader[]): string | null {
  for (const [at, { signed }] of headers.entries()) {
    const below = headers[at - 1];
    if (below === undefined || equalBytes(signed.header.lastHeaderHash, below.hash)) continue;
    return `header ${signed.header.height} does not name the header before it as its parent`;
  }
  return null;
}

/** Checks `headers`, in ascending height, down from the hash that the topmost must have. */
export function findLie(headers: readonly FetchedHeader[], topHash: Uint8Array): Lie | null {
  let expected = topHash;
  for (const { signed, hash, peerId } of headers.toReversed()) {
    if (!equalBytes(hash, expected)) return { peerId, reason: otherBlock(signed, hash, expected) };
    expected = signed.header.lastHeaderHash;
  }
  return null;
}

function otherBlock({ header }: SignedHeader, hash: Uint8Array, expected: Uint8Array): string {
  const chain = JSON.stringify(header.chainId);
  return `header ${header.height} (chain ${chain}) has hash 0x${toHex(hash)}; the committed chain has 0x${toHex(expected)}`;
}

/**
 * Checks what the hash does not cover. Headers must have passed `findLie`: so a wrong chain or proposer
 * is not the peer's doing but our genesis', and throws P2pError. Their times were judged when they were committed.
 */
export function findForgery(
  headers: readonly FetchedHeader[],
  expected: Omit<HeaderExpectations, "nowNs">,
): Lie | null {
  for (const { signed, peerId } of headers) {
    const { header } = signed;
    if (header.chainId !== expected.chainId) {
      throw foreignChain(header.height, wrongChain(header, expected.chainId).reason);
    }
    const stranger = checkProposer(header, expected.proposerAddress);
    if (stranger !== null) throw foreignChain(header.height, stranger.reason);
    const refusal = checkSignature(signed, expected.signatures);
    if (refusal !== null) return { peerId, reason: `header ${header.height}: ${refusal.reason}` };
  }
  return null;
}

/** The hash below the lowest of `headers`. Its own memory: a header shares it with the message it came in. */
export function parentHashOf(lowest: FetchedHeader): Uint8Array {
  return lowest.signed.header.lastHeaderHash.slice();
}

/** A height with its hash, which is proven or taken from Raft. */
export interface Anchor {
  readonly height: Height;
  readonly hash: Uint8Array;
}
