/** What no operator may set. Each limit says what happens there. */

import { assert } from "../base/assert.ts";
import { exchangeMessageMaxBytes, hashMaxBytes } from "../block/limits.ts";

/** Items in one request, as go-header's; a larger request is reset. */
export const rangeMax = 64;

/** Connections, both directions; further inbound ones are refused before their handshake. */
export const connectionsMax = 128;

/** Inbound connections in the middle of their handshake; further ones are refused. */
export const handshakesMax = 16;

/** Inbound connections a second from one address; further ones are refused. A devnet has one address. */
export const connectionsPerSecondMax = 32;

/** Streams of all protocols that one connection may have open; further ones are reset. */
export const streamsPerConnectionMax = 64;

/** Requests of one peer under way; further ones are reset. */
export const requestsPerPeerMax = 8;

/** Requests of all peers under way; further ones are reset. */
export const requestsMax = 32;

/** What may wait unread on one stream; beyond it the stream is reset. */
export const unreadMaxBytes = 256 * 1024;

/** A request frame; a longer one is reset. */
export const requestMaxBytes = 2 * hashMaxBytes;

/**
 * A response with a header. The largest header of which we know every field is smaller; what we do not
 * know no hash covers, and a peer could fill memory with it that passes for the chain's.
 */
export const headerResponseMaxBytes = 16 * 1024;

/** How long a peer may take to send its request. */
export const requestTimeoutMs = 10_000;

/** How long a peer may take to accept one write, go-header's write timeout: one that reads slower is reset. */
export const writeTimeoutMs = 8_000;

/** Whoever reads an answer more slowly than this, a while apart, is reset: others wait for the place. */
export const servedMinBytesPerSecond = 32 * 1024;
export const answerMinMs = 30_000;

/** How long a request may wait until this node may serve again; then it is reset. */
export const budgetTimeoutMs = 30_000;

/** After so many bytes an answer ends early: the peer asks again for the rest. */
export const responseSoftMaxBytes = 8 * 1024 * 1024;

/**
 * Small items are sent together, up to about this much: each write costs an encryption and a system call. Large ones
 * are sent in pieces of this size: it is seen that they move, on both sides of a slow link.
 */
export const writeBatchBytes = 32 * 1024;

/**
 * How long an answer, or `progressBytes` more of it, may take; go-header's request timeout. What came until then counts.
 * So an answer may take as long as it moves, and a peer that drips may not hold its place.
 */
export const answerTimeoutMs = 8_000;
export const progressBytes = 32 * 1024;

/**
 * What is on its way to us on one stream. With all the streams of a peer it is what a slow link has yet to carry before
 * anything new gets through, and must be less than that carries within `answerTimeoutMs`.
 */
export const streamWindowMaxBytes = 512 * 1024;

/** A connection on which no ping comes back for so long is given up. It waits behind all that is on its way. */
export const pingTimeoutMs = 30_000;

/** Redials of a configured peer, as ev-node's: the wait doubles from the first to the second. */
export const redialMinMs = 1_000;
export const redialMaxMs = 30_000;

/** A connection that lived shorter than this does not reset the wait: it may be refusing us. */
export const stableConnectionMs = 10_000;

/** One attempt to connect, all of a peer's addresses together. */
export const dialTimeoutMs = 10_000;

/** Progress and waiting are told no more often. */
export const reportIntervalMs = 2_000;

assert(headerResponseMaxBytes > 14 * hashMaxBytes, "a header has room for all its fields");
assert(responseSoftMaxBytes < exchangeMessageMaxBytes, "one message may be a whole answer");

/** Of a configured address. Reading base58 takes time with the square of its length. */
export const addressMaxChars = 1_024;
