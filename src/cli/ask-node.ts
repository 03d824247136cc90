/** What a running node says of itself over HTTP. */

import { z } from "zod";

export interface LiveNode {
  readonly height: string;
  /** libp2p's; empty if the node has none. */
  readonly listenAddress: string;
  readonly peers: readonly {
    readonly id: string;
    readonly address: string;
    readonly health: string;
  }[];
}

const status = z.object({
  result: z.object({
    node_info: z.object({ id: z.string(), listen_addr: z.string() }),
    sync_info: z.object({ latest_block_height: z.string() }),
    raft_info: z.object({ node_id: z.string() }).nullish(),
  }),
});

const cluster = z.object({
  nodes: z.array(z.object({ id: z.string(), address: z.string(), health: z.string() })),
});

/** A node on this machine answers at once, or is not there. */
const answerTimeoutMs = 1500;

/** Null if nobody answers at `address`, or somebody with another peer id. */
export async function askNode(address: string, peerId: string): Promise<LiveNode | null> {
  const answers = await Promise.all([get(address, "/status"), get(address, "/cluster")]);
  const { data: facts } = status.safeParse(answers[0]);
  if (facts === undefined || facts.result.node_info.id !== peerId) return null;
  const { node_info, sync_info, raft_info } = facts.result;
  const members = cluster.safeParse(answers[1]).data?.nodes ?? [];
  return {
    height: sync_info.latest_block_height,
    listenAddress: node_info.listen_addr,
    peers: members.filter(({ id }) => id !== raft_info?.node_id),
  };
}

/** The JSON of an answer; null for whatever goes wrong, since that is what not running looks like. */
async function get(address: string, path: string): Promise<unknown> {
  try {
    const answer = await fetch(`http://${address}${path}`, {
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
