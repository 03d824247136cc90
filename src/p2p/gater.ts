/** Lets configured peers in, and nobody else. Identity is proven by the handshake, so it is asked after that. */

import type { ConnectionGater } from "@libp2p/interface";
import type { OnP2pEvent } from "./event.ts";
import type { PeerList } from "./peer-list.ts";

export function createGater(peers: PeerList, onEvent: OnP2pEvent): ConnectionGater {
  return {
    denyDialPeer: (peerId) => peers.refusalOf(peerId.toString()) !== null,
    denyInboundEncryptedConnection: (peerId, connection) => {
      const reason = peers.refusalOf(peerId.toString());
      if (reason === null) return false;
      const address = connection.remoteAddr.toString();
      onEvent({ kind: "refused", peerId: peerId.toString(), address, reason });
      return true;
    },
  };
}
