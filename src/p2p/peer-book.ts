/** The peers that are connected now: who, where, since when. */

import type { Connection } from "@libp2p/interface";
import type { OnP2pEvent } from "./event.ts";

export interface ConnectedPeer {
  readonly peerId: string;
  readonly address: string;
  readonly direction: "inbound" | "outbound";
  /** Unix time. */
  readonly connectedSinceMs: number;
}

interface Entry {
  readonly peer: ConnectedPeer;
  readonly connections: Set<string>;
  readonly whenGone: Set<() => void>;
}

/** Two nodes that dial each other have two connections; a peer is there as long as it has one. */
export class PeerBook {
  readonly #entries = new Map<string, Entry>();
  readonly #onEvent: OnP2pEvent;

  constructor(onEvent: OnP2pEvent) {
    this.#onEvent = onEvent;
  }

  get connected(): readonly ConnectedPeer[] {
    return [...this.#entries.values()].map(({ peer }) => peer);
  }

  has(peerId: string): boolean {
    return this.#entries.has(peerId);
  }

  opened(connection: Connection): void {
    const { id, direction } = connection;
    const peerId = connection.remotePeer.toString();
    const known = this.#entries.get(peerId);
    if (known !== undefined) {
      known.connections.add(id);
      return;
    }
    const address = connection.remoteAddr.toString();
    const peer = { peerId, address, direction, connectedSinceMs: Date.now() };
    this.#entries.set(peerId, { peer, connections: new Set([id]), whenGone: new Set() });
    this.#onEvent({ kind: "connected", peerId, address, direction });
  }

  closed(connection: Connection): void {
    const peerId = connection.remotePeer.toString();
    const entry = this.#entries.get(peerId);
    if (entry === undefined || !entry.connections.delete(connection.id)) return;
    if (entry.connections.size > 0) return;
    this.#entries.delete(peerId);
    this.#onEvent({ kind: "disconnected", peerId, address: entry.peer.address });
    for (const tell of entry.whenGone) tell();
  }

  /** Resolves once the peer is gone, or `signal` aborts. */
  gone(peerId: string, signal: AbortSignal): Promise<void> {
    const entry = this.#entries.get(peerId);
    if (entry === undefined || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const tell = () => {
        signal.removeEventListener("abort", tell);
        entry.whenGone.delete(tell);
        resolve();
      };
      signal.addEventListener("abort", tell, { once: true });
      entry.whenGone.add(tell);
    });
  }
}
