/** `GET /cluster` as the leader sees it, or, without one, as this node does. Pure. */

import { z } from "zod";
import type { ConsensusView } from "../consensus/messages.ts";
import type { PeerStatus } from "../raft/status.ts";
import type { Server } from "../raft/types.ts";
import type { ClusterMember, ClusterStatus } from "../rpc/api.ts";

export interface ClusterViewFacts {
  readonly view: ConsensusView;
  /** Addresses by node_id, from local configuration. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly appliedIndex: number;
  readonly height: number;
  readonly nowMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
}

export function clusterView(facts: ClusterViewFacts): ClusterStatus {
  const { status } = facts.view;
  return {
    leaderId: status.leaderId,
    term: status.term,
    nodes: serversOf(facts).map(({ id, address, suffrage }) => {
      const named = { id, address: facts.addresses.get(id) ?? address, suffrage };
      if (id === status.id) return { ...named, ...self(facts) };
      const peer = status.peers.find((other) => other.id === id);
      return { ...named, ...(peer === undefined ? unseen(id, facts) : seen(peer, facts)) };
    }),
    commitIndex: status.commitIndex,
    lastApplied: facts.appliedIndex,
  };
}

/** Those of the log; before there is one, those of the local configuration. */
function serversOf({ view, addresses }: ClusterViewFacts): readonly Server[] {
  const { servers } = view.status.configuration;
  if (servers.length > 0) return servers;
  return [...addresses].map(([id, address]) => ({ id, address, suffrage: "voter" }));
}

const memberSchema = z.object({
  id: z.string(),
  address: z.string(),
  role: z.enum(["follower", "preCandidate", "candidate", "leader", "unknown"]),
  suffrage: z.enum(["voter", "nonvoter", "staging"]),
  health: z.enum(["Healthy", "Degraded", "Unreachable"]),
  lastHeartbeat: z.string().nullable(),
  rttMs: z.number().nullable(),
  matchIndex: z.number().nullable(),
  height: z.number().nullable(),
});

const clusterSchema = z.object({
  leaderId: z.string().nullable(),
  term: z.number(),
  nodes: z.array(memberSchema),
  commitIndex: z.number(),
  lastApplied: z.number(),
});

/** The leader's view as it sent it; null if it is none, as from a member of another version. */
export function decodeClusterView(body: Uint8Array): ClusterStatus | null {
  try {
    const parsed = clusterSchema.safeParse(JSON.parse(new TextDecoder().decode(body)));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

type MemberState = Omit<ClusterMember, "id" | "address" | "suffrage">;

function self({ view: { status }, nowMs, height }: ClusterViewFacts): MemberState {
  const { role, durableIndex: matchIndex } = status;
  const lastHeartbeat = new Date(nowMs).toISOString();
  return { role, health: "Healthy", lastHeartbeat, rttMs: 0, matchIndex, height };
}

/** By the leader: every follower answers its heartbeats. */
function seen(peer: PeerStatus, facts: ClusterViewFacts): MemberState {
  const lastHeardMs = facts.nowMs - peer.silentMs;
  return {
    role: peer.hasAnswered ? "follower" : "unknown",
    health: healthOf(peer, facts),
    lastHeartbeat: peer.hasAnswered ? new Date(lastHeardMs).toISOString() : null,
    rttMs: rttOf(peer.id, facts),
    matchIndex: peer.matchIndex,
    height: peer.readiness?.appliedHeight ?? null,
  };
}

/** By a node that does not lead: it knows the leader's heartbeats, and who has answered what it asked. */
function unseen(id: string, facts: ClusterViewFacts): MemberState {
  const { status } = facts.view;
  const isLeader = status.leaderId === id;
  const silentMs = status.leaderSilentMs ?? 0;
  return {
    role: isLeader ? "leader" : "unknown",
    health: isLeader ? healthOfSilent(silentMs, facts) : healthOfUnseen(id, facts),
    lastHeartbeat: isLeader ? new Date(facts.nowMs - silentMs).toISOString() : null,
    rttMs: rttOf(id, facts),
    matchIndex: null,
    height: null,
  };
}

/**
 * An open connection alone tells little: that of a process that hangs stays open. Without a leader a member asks
 * the others for their votes again within two election timeouts, and whoever answers is there.
 */
function healthOfUnseen(
  id: string,
  { view, electionTimeoutMs }: ClusterViewFacts,
): ClusterMember["health"] {
  const peer = view.peers.find((other) => other.id === id);
  if (peer === undefined || !peer.isConnected) return "Unreachable";
  const hasAnswered = peer.silentMs !== null && peer.silentMs < 2 * electionTimeoutMs;
  return hasAnswered ? "Healthy" : "Degraded";
}

type Limits = Pick<ClusterViewFacts, "heartbeatTimeoutMs" | "electionTimeoutMs">;

/** By the leader. Who never answered is gone; who is not fit to lead is not well. */
export function healthOf(peer: PeerStatus, limits: Limits): ClusterMember["health"] {
  if (!peer.hasAnswered) return "Unreachable";
  const health = healthOfSilent(peer.silentMs, limits);
  return health === "Healthy" && peer.readiness?.isReady === false ? "Degraded" : health;
}

/** Of one who is to be heard all the time. Silent for an election timeout: gone; for a heartbeat timeout: not well. */
export function healthOfSilent(
  silentMs: number,
  { heartbeatTimeoutMs, electionTimeoutMs }: Limits,
): ClusterMember["health"] {
  if (silentMs >= electionTimeoutMs) return "Unreachable";
  return silentMs >= heartbeatTimeoutMs ? "Degraded" : "Healthy";
}

function rttOf(id: string, { view }: ClusterViewFacts): number | null {
  const rttMs = view.peers.find((peer) => peer.id === id)?.smoothedRttMs ?? null;
  return rttMs === null ? null : Math.round(rttMs * 1000) / 1000;
}
