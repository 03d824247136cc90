/** How long an RPC may take, from `raft.send_timeout` and from what the peer has to do for it. */

import type { RequestMessage } from "../raft/message.ts";

/** hashicorp's scale: an InstallSnapshot gets its timeout once for every 256 KiB. */
const scaleBytes = 256 * 1024;

/**
 * An answer that waits for the peer's disk gets this much at least: an fsync that stalls for a few
 * hundred milliseconds is common, and closing the pipeline would only add a reconnect and a resend.
 * A peer that is really gone is noticed by its heartbeats, which have no such floor.
 */
const diskFloorMs = 2_000;
const voteFloorMs = 1_000;
/** A snapshot is received, stored and restored before it is answered; hashicorp's customary timeout. */
const snapshotFloorMs = 10_000;

/** The time from sending `request`, which carries `payloadBytes`, to its answer. */
export function rpcTimeoutMs(
  request: RequestMessage["kind"],
  payloadBytes: number,
  sendTimeoutMs: number,
): number {
  const scaledMs = sendTimeoutMs * Math.floor(payloadBytes / scaleBytes);
  switch (request) {
    case "heartbeatRequest":
    case "requestPreVoteRequest":
    case "timeoutNowRequest":
      return sendTimeoutMs; // answered from memory
    case "requestVoteRequest":
      return Math.max(sendTimeoutMs, voteFloorMs); // one fsync, of the vote
    case "appendEntriesRequest":
      return Math.max(10 * sendTimeoutMs, diskFloorMs, scaledMs);
    case "installSnapshotRequest":
      return Math.max(10 * sendTimeoutMs, snapshotFloorMs, scaledMs);
  }
}

const patientTimeoutMaxMs = 60_000;

/**
 * On a link on which entries take longer than their timeout they would be sent from the beginning for ever: each
 * connection that ended so gives the next one twice the time. Who is gone is noticed by heartbeats all the same.
 */
export class Patience {
  #factor = 1;
  #lateOn = -1;

  timeoutMs(timeoutMs: number): number {
    return Math.max(timeoutMs, Math.min(patientTimeoutMaxMs, timeoutMs * this.#factor));
  }

  /** A call on the `connection`th connection was not answered in time; told of each such call. */
  late(connection: number): void {
    if (connection === this.#lateOn) return;
    this.#lateOn = connection;
    this.#factor = Math.min(this.#factor * 2, patientTimeoutMaxMs);
  }

  /** Not at once what it was: the next call on the same link would be late again. */
  answered(): void {
    this.#factor = Math.max(1, this.#factor / 2);
  }
}

/** Of a call that must end in time even where it waits behind others: put off while the kernel takes it. */
export class CallTimer {
  readonly #timeoutMs: number;
  readonly #onOver: () => void;
  readonly #beganMs = performance.now();
  /** null once it is over. */
  #timer: NodeJS.Timeout | null = null;

  constructor(timeoutMs: number, onOver: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onOver = onOver;
    this.#arm(timeoutMs);
  }

  /** What took long to send may sit in buffers for as long again. */
  taken(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#arm(Math.max(this.#timeoutMs, performance.now() - this.#beganMs));
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#onOver();
    }, delayMs);
  }
}

const backoffMinMs = 10;

/** The pause after the `failures`th failed attempt in a row: doubling, with jitter, up to `maxMs`. */
export function backoffMs(failures: number, maxMs: number, random: number): number {
  const fullMs = Math.min(maxMs, backoffMinMs * 2 ** Math.min(failures - 1, 20));
  return fullMs * (0.5 + random / 2);
}
