/** What goes over a channel, and what a channel reports to its owner. */

import type { Socket } from "node:net";
import type { Route } from "./address.ts";
import type { TransportError } from "./errors.ts";

/** One request, and what becomes of it: exactly one of `onAnswer` and `onFailed` is called, never within `call`. */
export interface Call {
  /** Counts from when the kernel last took a part of it, or from when it became the oldest one unanswered. */
  readonly timeoutMs: number;
  /** About how many bytes it takes. */
  readonly sizeBytes: number;
  /** Called once the connection is open (our own address may not be known before). */
  encode(): readonly Uint8Array[];
  /** The kernel has taken a part of it. */
  onTaken?(): void;
  /** Throws a bad-frame error, and then does nothing else, if `frame` is no answer. */
  onAnswer(frame: Uint8Array, elapsedMs: number): void;
  onFailed(error: TransportError): void;
}

export interface ChannelObserver {
  /** Where to dial now; rejects if that is not known. */
  route(): Promise<Route>;
  onOpen(socket: Socket, address: string): void;
  /** The first call on a connection: one that was opened ahead and is closed unused is never told of. */
  onUsed(address: string): void;
  /** The first answer on a connection: the peer serves us. */
  onProven(): void;
  onLost(reason: string, isByPeer: boolean, wasUsed: boolean): void;
  onDialFailed(failure: {
    readonly address: string;
    readonly reason: string;
    readonly isRefused: boolean;
    readonly retryInMs: number;
  }): void;
  onTraffic(sentBytes: number, receivedBytes: number): void;
}
