/** Who may connect and whom to dial, from the configuration. An identity is a peer id, never an address. */

import { peerIdFromString } from "@libp2p/peer-id";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { badAddress } from "./errors.ts";
import { addressMaxChars } from "./limits.ts";

export interface DialedPeer {
  readonly peerId: string;
  /** One or more, as they were configured. */
  readonly addresses: readonly Multiaddr[];
}

export interface PeerList {
  readonly dialed: readonly DialedPeer[];
  /** Null if this peer may connect; otherwise why not. */
  refusalOf(peerId: string): string | null;
}

export interface PeerSettings {
  /** `p2p.peers`: multiaddrs that end in `/p2p/<peer id>`. */
  readonly peers: readonly string[];
  /** `p2p.allowed_peers`: the same, or only a peer id. */
  readonly allowedPeers: readonly string[];
  /** `p2p.blocked_peers`: the same; it wins over the other two. */
  readonly blockedPeers: readonly string[];
}

/** Throws P2pError. Our own entry is left out, so that all nodes may have the same list. */
export function readPeerList(ownPeerId: string, settings: PeerSettings): PeerList {
  const blocked = new Set(
    settings.blockedPeers.map((entry) => peerIdIn("p2p.blocked_peers", entry)),
  );
  const allowed = new Set(
    settings.allowedPeers.map((entry) => peerIdIn("p2p.allowed_peers", entry)),
  );
  const dialed = new Map<string, Multiaddr[]>();
  for (const entry of settings.peers) {
    const peerId = peerIdIn("p2p.peers", entry);
    const address = parse("p2p.peers", entry);
    if (!address.getComponents().some(({ name }) => name === "tcp")) {
      throw badAddress("p2p.peers", entry, `names no TCP address; write it like ${form}`);
    }
    if (peerId === ownPeerId || blocked.has(peerId)) continue;
    dialed.set(peerId, [...(dialed.get(peerId) ?? []), address]);
  }
  return {
    dialed: [...dialed].map(([peerId, addresses]) => ({ peerId, addresses })),
    refusalOf: (peerId) => {
      if (blocked.has(peerId)) return "it is in p2p.blocked_peers";
      if (dialed.has(peerId) || allowed.has(peerId)) return null;
      return "it is neither in p2p.peers nor in p2p.allowed_peers";
    },
  };
}

const form = "/ip4/10.0.0.1/tcp/26656/p2p/12D3KooW...";

function peerIdIn(setting: string, entry: string): string {
  if (entry.length > addressMaxChars) {
    const cut = `${entry.slice(0, addressMaxChars)}...`;
    throw badAddress(setting, cut, `has ${entry.length} characters; write it like ${form}`);
  }
  const text = entry.startsWith("/")
    ? parse(setting, entry)
        .getComponents()
        .findLast(({ name }) => name === "p2p")?.value
    : entry;
  if (text === undefined) {
    throw badAddress(setting, entry, `does not end in /p2p/<peer id>; write it like ${form}`);
  }
  try {
    return peerIdFromString(text).toString();
  } catch (cause) {
    const advice = `has no peer id; evm net-info prints the peer's. Write ${form}`;
    throw badAddress(setting, entry, advice, cause);
  }
}

function parse(setting: string, entry: string): Multiaddr {
  try {
    return multiaddr(entry);
  } catch (cause) {
    throw badAddress(setting, entry, `is no multiaddr; write it like ${form}`, cause);
  }
}
