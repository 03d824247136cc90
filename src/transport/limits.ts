/** What bounds the Raft port's memory and patience. Defaults suit clusters of up to seven; tests shrink them. */

import { appendsInFlightMax, frameSizeMaxBytes, snapshotSizeMaxBytes } from "../base/limits.ts";

export interface TransportLimits {
  /** One request or response, snapshot stream not counted; beyond it the connection closes. */
  readonly frameSizeMaxBytes: number;
  /** One snapshot stream; a larger one is refused before its first byte. */
  readonly snapshotSizeMaxBytes: number;
  /** Snapshots being received at once; another one closes its connection. */
  readonly inboundSnapshotsMax: number;
  /** Inbound connections; another one is closed on arrival. */
  readonly inboundConnectionsMax: number;
  /** Inbound connections from one address (a cluster on one machine shares one). */
  readonly inboundPerAddressMax: number;
  /** Unanswered requests on one inbound connection; beyond it we stop reading. */
  readonly openRequestsMax: number;
  /** Bytes of unanswered requests on one inbound connection; beyond it we stop reading. */
  readonly openRequestsMaxBytes: number;
  /** Answers that a slow reader has not taken; beyond it we stop reading its requests. */
  readonly outputMaxBytes: number;
  /** A connection that stays in the middle of a frame, or silent from its start, or does not read its answers for this long is closed. */
  readonly stallTimeoutMs: number;
  /** Unanswered calls on one outbound connection; beyond it a call fails at once. */
  readonly callsInFlightMax: number;
  /** Bytes of calls on one outbound connection that the kernel has not taken; beyond it a call fails at once. */
  readonly callQueueMaxBytes: number;
}

export const defaultLimits: TransportLimits = {
  frameSizeMaxBytes,
  snapshotSizeMaxBytes,
  inboundSnapshotsMax: 2,
  inboundConnectionsMax: 256,
  inboundPerAddressMax: 128,
  openRequestsMax: 4096,
  openRequestsMaxBytes: 2 * frameSizeMaxBytes,
  outputMaxBytes: 4 * 1024 * 1024,
  stallTimeoutMs: 10_000,
  callsInFlightMax: 4096,
  callQueueMaxBytes: 2 * frameSizeMaxBytes,
};

/** Entries in one AppendEntries; hashicorp sends at most 1024. More would cost far more memory than bytes. */
export const entriesPerFrameMax = 1024;

/** Servers in one Configuration; far beyond any cluster. */
export const serversMax = 1024;

/** Depth of msgpack containers, as in Go's codec; only unknown keys can nest at all. */
export const nestingMax = 1024;

/** Bytes that a half-received frame must grow by within each stall timeout. */
export const stallProgressBytes = 64 * 1024;

if (defaultLimits.callsInFlightMax < appendsInFlightMax) {
  throw new RangeError("callsInFlightMax must hold the AppendEntries pipeline");
}
