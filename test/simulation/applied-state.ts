/**
 * The simulated state machine: a running hash over the commands, so that equal states mean equal histories,
 * and registers, each of which holds the last command that was written to it.
 */

import type { StateSnapshot } from "../../src/consensus/snapshotter.ts";
import type { Configuration, Entry, EntryId, LogIndex, Snapshot } from "../../src/raft/types.ts";
import type { CommandId, Payloads } from "./payloads.ts";

export interface AppliedState extends EntryId {
  readonly hash: number;
  /** 0 where nothing was written. */
  readonly registers: readonly CommandId[];
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
}

export const registerCount = 4;

/** Which register a command writes to. */
export function registerOf(command: CommandId): number {
  return command % registerCount;
}

/** A snapshot is at least so large: it holds the hash and the registers. */
export const stateBytes = 4 + 4 * registerCount;

export const nothingApplied: AppliedState = {
  term: 0,
  index: 0,
  hash: 0,
  registers: Array.from({ length: registerCount }, () => 0),
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
  if (entry.kind === "configuration") {
    const configuration = decode(entry);
    return { ...state, index, term, hash, configuration, configurationIndex: index };
  }
  const command = payloads.commandOf(entry);
  if (command === null) return { ...state, index, term, hash };
  return {
    ...state,
    index,
    term,
    hash,
    registers: state.registers.with(registerOf(command), command),
  };
}

/** What a host gives away: the configuration is not its business. */
export function stateSnapshot(
  { index, term, hash, registers }: AppliedState,
  sizeBytes: number,
): StateSnapshot {
  const data = new Uint8Array(sizeBytes);
  const view = new DataView(data.buffer);
  view.setUint32(0, hash);
  for (const [at, command] of registers.entries()) view.setUint32(4 + 4 * at, command);
  return { index, term, data };
}

export function fromSnapshot(snapshot: Snapshot): AppliedState {
  const { last, configuration, configurationIndex, data } = snapshot;
  const view = new DataView(data.buffer, data.byteOffset);
  const registers = Array.from({ length: registerCount }, (_, at) => view.getUint32(4 + 4 * at));
  return { ...last, hash: view.getUint32(0), registers, configuration, configurationIndex };
}
