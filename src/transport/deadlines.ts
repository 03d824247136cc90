/** How long an RPC may take, from `raft.send_timeout` and from what the peer has to do for it. */

import type { RequestMessage } from "../raft/message.ts";

/** hashicorp's scale: an InstallSnapshot gets its timeout once for every 256 KiB. */
const scaleBytes = 256 * 1024;

/**
 * An answer that waits for the peer's disk gets this much at least: an fsync that stalls for a few
 * hundred milliseconds is common, and closing the pipeline would only add a reconnect and a resend.
 * A peer that is really gone is noticed by its heartbeats, which have no such floor.
 */
const diskFloorMs = 2_000;
const voteFloorMs = 1_000;
/** A snapshot is received, stored and restored before it is answered; hashicorp's customary timeout. */
const snapshotFloorMs = 10_000;

/** The time from sending `request`, which carries `payloadBytes`, to its answer. */
export function rpcTimeoutMs(
  request: RequestMessage["kind"],
  payloadBytes: number,
  sendTimeoutMs: number,
): number {
  const scaledMs = sendTimeoutMs * Math.floor(payloadBytes / scaleBytes);
  switch (request) {
    case "heartbeatRequest":
    case "requestPreVoteRequest":
    case "timeoutNowRequest":
      return sendTimeoutMs; // answered from memory
    case "requestVoteRequest":
      return Math.max(sendTimeoutMs, voteFloorMs); // one fsync, of the vote
    case "appendEntriesRequest":
      return Math.max(10 * sendTimeoutMs, diskFloorMs, scaledMs);
    case "installSnapshotRequest":
      return Math.max(10 * sendTimeoutMs, snapshotFloorMs, scaledMs);
  }
}

const backoffMinMs = 10;

/** The pause after the `failures`th failed attempt in a row: doubling, with jitter, up to `maxMs`. */
export function backoffMs(failures: number, maxMs: number, random: number): number {
  const fullMs = Math.min(maxMs, backoffMinMs * 2 ** Math.min(failures - 1, 20));
  return fullMs * (0.5 + random / 2);
}
