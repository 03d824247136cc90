/** The state machine as of an applied entry, for a member that has missed more than the log holds. */

/** The entry that it is as of, and what restores it. */
export interface SequencerSnapshot {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

/** null while there is nothing to give. */
export function takeSnapshot(): Promise<SequencerSnapshot | null> {
  return Promise.resolve(null);
}
