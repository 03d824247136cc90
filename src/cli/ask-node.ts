/** What a running node says of itself over HTTP. */

import { z } from "zod";
import { exchangeJson } from "./exchange-json.ts";

export interface LiveNode {
  readonly height: string;
  /** libp2p's, as peers reach it. */
  readonly listenAddresses: readonly string[];
  readonly peers: readonly {
    readonly id: string;
    readonly address: string;
    readonly direction: string;
  }[];
}

const status = z.object({
  result: z.object({
    node_info: z.object({ id: z.string() }),
    sync_info: z.object({ latest_block_height: z.string() }),
  }),
});

const netInfo = z.object({
  result: z.object({
    listeners: z.array(z.string()),
    peers: z.array(
      z.object({
        node_info: z.object({ id: z.string(), listen_addr: z.string() }),
        is_outbound: z.boolean(),
      }),
    ),
  }),
});

/** A node on this machine answers at once, or is not there. */
const timeoutMs = 1500;

/** Null if nobody answers at `address`, or somebody with another peer id. */
export async function askNode(address: string, peerId: string): Promise<LiveNode | null> {
  const answers = await Promise.all([get(address, "/status"), get(address, "/net_info")]);
  const { data: facts } = status.safeParse(answers[0]);
  if (facts === undefined || facts.result.node_info.id !== peerId) return null;
  const network = netInfo.safeParse(answers[1]).data?.result;
  return {
    height: facts.result.sync_info.latest_block_height,
    listenAddresses: network?.listeners ?? [],
    peers: (network?.peers ?? []).map(({ node_info, is_outbound }) => ({
      id: node_info.id,
      address: node_info.listen_addr,
      direction: is_outbound ? "outbound" : "inbound",
    })),
  };
}

/** The JSON of an answer; null for whatever goes wrong, since that is what not running looks like. */
async function get(address: string, path: string): Promise<unknown> {
  const exchange = await exchangeJson({ address, path, timeoutMs });
  return exchange.kind === "answered" && exchange.status === 200 ? exchange.body : null;
}
