/** Keeps one connection to each configured peer: dials, and dials again with growing waits. */

import { describeError } from "../base/coded-error.ts";
import type { Random } from "../base/random.ts";
import { sleep } from "../base/task-group.ts";
import type { OnP2pEvent } from "./event.ts";
import { redialMaxMs, redialMinMs, stableConnectionMs } from "./limits.ts";
import type { DialedPeer } from "./peer-list.ts";

/** What the dialer needs of the host. */
export interface Connections {
  isConnected(peerId: string): boolean;
  /** Throws if none of the addresses answers as this peer. */
  dial(peer: DialedPeer, signal: AbortSignal): Promise<void>;
  /** Resolves once no connection to the peer is left, or `signal` aborts. */
  disconnected(peerId: string, signal: AbortSignal): Promise<void>;
}

export interface DialerDependencies {
  readonly connections: Connections;
  readonly random: Random;
  readonly nowMs: () => number;
  readonly onEvent: OnP2pEvent;
}

/** Runs until `signal` aborts. Never throws for what a peer does. */
export async function keepConnected(
  peer: DialedPeer,
  { connections, random, nowMs, onEvent }: DialerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { peerId } = peer;
  let waitMs = redialMinMs;
  while (!signal.aborted) {
    const sinceMs = nowMs();
    try {
      if (!connections.isConnected(peerId)) await connections.dial(peer, signal);
      await connections.disconnected(peerId, signal);
    } catch (error) {
      if (signal.aborted) return;
      const address = peer.addresses.join(" ");
      const reason = describeError(error);
      onEvent({ kind: "dialFailed", peerId, address, reason, retryInMs: Math.round(waitMs) });
    }
    // A peer that refuses us accepts the connection first and closes it then.
    if (nowMs() - sinceMs >= stableConnectionMs) waitMs = redialMinMs;
    // Spread, so that two nodes that lost each other do not dial in step for ever.
    await sleep(waitMs * (0.5 + random() / 2), signal);
    waitMs = Math.min(waitMs * 2, redialMaxMs);
  }
}
