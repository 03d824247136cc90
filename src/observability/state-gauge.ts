/** Gauges with one series per state, of which one is 1 and the others are 0. */
import type { Metrics } from "./metrics.ts";
import type { SequencerStateName } from "./node-event.ts";
import { sequencerStates } from "./node-event.ts";

const raftRoles = ["follower", "preCandidate", "candidate", "leader"] as const;
export type RaftRole = (typeof raftRoles)[number];

const peerHealths = ["healthy", "degraded", "unreachable"] as const;
export type PeerHealth = (typeof peerHealths)[number];

export function setRole(metrics: Metrics, current: RaftRole): void {
  for (const role of raftRoles) metrics.raft.role.set({ role }, role === current ? 1 : 0);
}

export function setSequencerState(metrics: Metrics, current: SequencerStateName): void {
  for (const state of sequencerStates) {
    metrics.sequencer.state.set({ state }, state === current ? 1 : 0);
  }
}

export function setPeerHealth(metrics: Metrics, peerId: string, current: PeerHealth): void {
  for (const health of peerHealths) {
    metrics.raft.peerHealth.set({ peer_id: peerId, health }, health === current ? 1 : 0);
  }
}
