/** `GET /cluster`, the whole cluster as this node sees it, and ev-node's `GET /raft/node`. */

import { json, type Route, text } from "./answer.ts";
import type { ClusterStatus, NodeApi, StatusFacts } from "./api.ts";

export function clusterRoutes(api: NodeApi): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/cluster",
      summary: "Members, leader, term and progress",
      handle: async () => json(clusterJson(await api.cluster())),
    },
    {
      method: "GET",
      path: "/raft/node",
      summary: "Whether this node leads",
      // Go's words and line ends, which ev-node's clients may compare.
      otherMethods: text("method not allowed\n", 405),
      handle: async () => {
        const answer = json(raftNodeJson(await api.status()));
        return { ...answer, body: `${answer.body}\n` };
      },
    },
  ];
}

/** Field by field: what else the node may say about a member is not part of this interface. */
function clusterJson(cluster: ClusterStatus): object {
  return {
    leaderId: cluster.leaderId,
    term: cluster.term,
    nodes: cluster.nodes.map((node) => ({
      id: node.id,
      address: node.address,
      role: node.role,
      suffrage: node.suffrage,
      health: node.health,
      lastHeartbeat: node.lastHeartbeat,
      rttMs: node.rttMs,
      matchIndex: node.matchIndex,
      height: node.height,
    })),
    commitIndex: cluster.commitIndex,
    lastApplied: cluster.lastApplied,
  };
}

/** ev-node's rule: the leader it knows decides, its own role if it knows none. A single sequencer leads. */
function raftNodeJson({ raft, moniker }: StatusFacts): object {
  if (raft === null) return { is_leader: true, node_id: moniker };
  const leads = raft.leaderId === null ? raft.role === "leader" : raft.leaderId === raft.nodeId;
  return { is_leader: leads, node_id: raft.nodeId };
}
