/** `GET /net_info`: the libp2p peers that are connected now, in CometBFT's shape. */

import { json, type Route } from "./answer.ts";
import type { NetworkFacts, NodeApi } from "./api.ts";

export function netInfoRoutes(api: NodeApi): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/net_info",
      summary: "Where libp2p listens, and connected peers; CometBFT's shape",
      handle: async () =>
        json({ jsonrpc: "2.0", id: -1, result: netInfoResult(await api.network()) }),
    },
  ];
}

/** The `result` of CometBFT's `net_info`. */
export function netInfoResult({ addresses, peers }: NetworkFacts): object {
  return {
    listening: addresses.length > 0,
    listeners: addresses,
    n_peers: String(peers.length),
    peers: peers.map(({ peerId, address, direction }) => ({
      node_info: { id: peerId, listen_addr: address },
      is_outbound: direction === "outbound",
      remote_ip: hostOf(address),
    })),
  };
}

/** The host of a multiaddr: `/ip4/10.0.0.2/tcp/26656` */
function hostOf(address: string): string {
  return address.split("/")[2] ?? "";
}
