/** The address by which peers reach this node, also where it listens on all interfaces. */

import { createSocket } from "node:dgram";
import { formatEndpoint, parseEndpoint, resolveAdvertisedAddress } from "../transport/address.ts";
import type { ConsensusOptions } from "./messages.ts";

type Network = NonNullable<ConsensusOptions["network"]>;

export async function advertisedAddressOf(nodeId: string, network: Network): Promise<string> {
  const { listenHost: host, listenPort: port } = network;
  const facts = {
    localId: nodeId,
    advertiseAddr: network.advertisedAddress,
    peers: new Map(network.peers),
    raftAddr: formatEndpoint({ host, port }),
    listenPort: port,
  };
  const stated = resolveAdvertisedAddress({ ...facts, outboundLocalAddress: null });
  if (stated !== null) return stated;
  for (const [, address] of network.peers) {
    const { host: peerHost, port: peerPort } = parseEndpoint(address, "raft.peers");
    const local = await localAddressTowards(peerHost, peerPort);
    const found = resolveAdvertisedAddress({ ...facts, outboundLocalAddress: local });
    if (found !== null) return found;
  }
  // Without a route to any peer nobody will hear it; a name that is no wildcard is all that is owed.
  return formatEndpoint({ host: nodeId, port });
}

/** Our end of a connection to `host`, as the kernel would route it; nothing is sent. null without a route. */
function localAddressTowards(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const finish = (address: string | null) => {
      socket.close();
      resolve(address);
    };
    socket.once("error", () => finish(null));
    // A callback of `connect` itself is called where it fails, too: the address is a wildcard then.
    socket.once("connect", () => finish(socket.address().address));
    socket.connect(port, host);
  });
}
