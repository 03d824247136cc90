/** The simulated state machine: a running hash over the commands, so that equal states mean equal histories. */

import type { StateSnapshot } from "../../src/consensus/snapshotter.ts";
import type { Configuration, Entry, EntryId, LogIndex, Snapshot } from "../../src/raft/types.ts";
import type { Payloads } from "./payloads.ts";

export interface AppliedState extends EntryId {
  readonly hash: number;
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
}

/** A snapshot is at least so large: it holds the hash. */
export const stateBytes = 4;

export const nothingApplied: AppliedState = {
  term: 0,
  index: 0,
  hash: 0,
  configuration: { servers: [] },
  configurationIndex: 0,
};

/** The hash of a history whose last entry is `entry`. */
export function nextHash(hash: number, entry: Entry, payloads: Payloads): number {
  const command = payloads.commandOf(entry) ?? 0;
  return Math.imul(hash ^ (entry.index * 31 + entry.term * 7 + command), 0x01000193) >>> 0;
}

export function applyEntry(
  state: AppliedState,
  entry: Entry,
  payloads: Payloads,
  decode: (entry: Entry) => Configuration,
): AppliedState {
  const { index, term } = entry;
  const hash = nextHash(state.hash, entry, payloads);
  if (entry.kind !== "configuration") return { ...state, index, term, hash };
  return { index, term, hash, configuration: decode(entry), configurationIndex: index };
}

/** What a host gives away: the configuration is not its business. */
export function stateSnapshot(
  { index, term, hash }: AppliedState,
  sizeBytes: number,
): StateSnapshot {
  const data = new Uint8Array(sizeBytes);
  new DataView(data.buffer).setUint32(0, hash);
  return { index, term, data };
}

export function fromSnapshot(snapshot: Snapshot): AppliedState {
  const { last, configuration, configurationIndex, data } = snapshot;
  const hash = new DataView(data.buffer, data.byteOffset).getUint32(0);
  return { ...last, hash, configuration, configurationIndex };
}
