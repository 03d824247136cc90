/** How large the parts of a block may be. A larger one is refused with a BlockError, never cut. */

import { assert } from "../base/assert.ts";
import { entrySizeMaxBytes } from "../base/limits.ts";

/** A hash, address, signature or key; ev-node allows as much for its legacy hashes. */
export const hashMaxBytes = 1024;

export const chainIdMaxBytes = 1024;

/** Fields that we do not know, in one header; ev-node's limit. */
export const unknownFieldsMaxBytes = 1024 * 1024;

/** Transactions in one block. Millions of empty ones would cost far more memory than their bytes. */
export const transactionsPerBlockMax = 100_000;

/** One transaction's identity. */
export const txIdMaxBytes = 256;

/** One block's data on the wire. A Raft entry holds it and the header, so it is never larger. */
export const dataMaxBytes = entrySizeMaxBytes;

/** A signed header: a hundred bytes of hashes and keys, and what we do not know. */
export const signedHeaderMaxBytes = 2 * unknownFieldsMaxBytes;

/** A message of the header exchange, as ev-node raises go-header's limit. */
export const exchangeMessageMaxBytes = 10 * 1024 * 1024;

/**
 * Bytes of one block's transactions, whoever chose them: beyond it the block would be too large for the exchange, and a member
 * that has missed it could never get it. The rest of the message are the metadata, and some bytes for each.
 */
export const blockDataMaxBytes = exchangeMessageMaxBytes - 1024 * 1024;

/** Before each transaction in the data: its tag and its length. */
const txOverheadMaxBytes = 6;

assert(
  blockDataMaxBytes + transactionsPerBlockMax * txOverheadMaxBytes + 64 * 1024 <
    exchangeMessageMaxBytes,
  "a block's data fits into a message",
);
assert(signedHeaderMaxBytes < entrySizeMaxBytes, "an entry has room for a header");
