/**
 * One outbound connection: calls go out in order and are answered in order, since the wire does not
 * say which request a response answers. It is opened by the first call, and again by the first call
 * after it was lost and the back-off has passed; until then calls fail at once.
 *
 *            call                 connected
 *   idle ----------> connecting ------------> open
 *    ^                   |                     |
 *    +---- failed, lost or timed out ----------+          close: -> closed, from anywhere
 */

import type { Socket } from "node:net";
import { describeError } from "../base/coded-error.ts";
import type { Random } from "../base/random.ts";
import type { ServerId } from "../raft/types.ts";
import { formatEndpoint, type Route } from "./address.ts";
import type { Call, ChannelObserver } from "./call.ts";
import { backoffMs } from "./deadlines.ts";
import { type CallFailure, callFailed, TransportError } from "./errors.ts";
import { FrameReader } from "./frame-reader.ts";
import type { TransportLimits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import { closeSoon, dial, plainBytes, socketErrorText } from "./socket.ts";

export interface ChannelOptions {
  readonly peerId: ServerId;
  readonly dialTimeoutMs: number;
  readonly backoffMaxMs: number;
  readonly limits: TransportLimits;
  readonly random: Random;
}

/** How long a connection that was opened ahead waits for its first call. */
const unusedMaxMs = 2_000;

interface OpenCall {
  readonly call: Call;
  sentAtMs: number;
  /** When the kernel last took a part of it. */
  takenAtMs: number;
}

interface Connecting {
  readonly kind: "connecting";
  socket: Socket | null;
  readonly timer: NodeJS.Timeout;
  /** Where it dials; known once the name is resolved. */
  address: string;
}

interface Open {
  readonly kind: "open";
  readonly socket: Socket;
  readonly outbox: Outbox;
  readonly reader: FrameReader;
  /** When the other side was last seen to receive or send anything. */
  movedAtMs: number;
  isProven: boolean;
  readonly address: string;
  /** Whether anything was sent on it; before, it is nobody's connection yet. */
  isUsed: boolean;
}

type State = { readonly kind: "idle" } | Connecting | Open | { readonly kind: "closed" };

const idle: State = { kind: "idle" };

export class Channel {
  readonly #options: ChannelOptions;
  readonly #observer: ChannelObserver;
  #state: State = idle;
  /** Sent and unanswered, or while connecting not yet sent; oldest first. */
  #calls: OpenCall[] = [];
  #queuedBytes = 0;
  /** Attempts in a row that brought no answer. */
  #failures = 0;
  #dialNotBeforeMs = 0;
  /** Since when the oldest call is the oldest: what an answer is timed from. */
  #headSinceMs = 0;
  #deadline: NodeJS.Timeout | null = null;

  constructor(options: ChannelOptions, observer: ChannelObserver) {
    this.#options = options;
    this.#observer = observer;
  }

  get isOpen(): boolean {
    return this.#state.kind === "open";
  }

  call(call: Call): void {
    if (this.#state.kind === "closed") return this.#refuse(call, "closed");
    const { limits } = this.#options;
    const queuedBytes =
      this.#state.kind === "open" ? this.#state.outbox.queuedBytes : this.#queuedBytes;
    const isTooLong = queuedBytes > 0 && queuedBytes + call.sizeBytes > limits.callQueueMaxBytes;
    if (isTooLong || this.#calls.length >= limits.callsInFlightMax) {
      return this.#refuse(call, "queueFull");
    }
    if (this.#state.kind === "idle") {
      if (performance.now() < this.#dialNotBeforeMs) return this.#refuse(call, "backingOff");
      this.#startDial();
    }
    const openCall = { call, sentAtMs: performance.now(), takenAtMs: 0 };
    if (this.#calls.length === 0) this.#headSinceMs = openCall.sentAtMs;
    this.#calls.push(openCall);
    if (this.#state.kind === "open") this.#write(this.#state, openCall);
    else this.#queuedBytes += call.sizeBytes;
  }

  /** Dials for a call that is likely to come, which then need not wait for it. */
  openAhead(): void {
    if (this.#state.kind === "idle" && performance.now() >= this.#dialNotBeforeMs)
      this.#startDial();
  }

  /** The peer is known to be there: the next call may dial at once. */
  endBackoff(): void {
    this.#failures = 0;
    this.#dialNotBeforeMs = 0;
  }

  /**
   * Gives up the connection, and what is unanswered on it, if nothing has moved on it since `sinceMs` and the oldest
   * call has waited for longer than `patienceMs`; the next call opens another.
   */
  dropStuck(reason: string, sinceMs: number, patienceMs: number): void {
    const state = this.#state;
    const [head] = this.#calls;
    if (state.kind !== "open" || head === undefined || state.movedAtMs >= sinceMs) return;
    const { quietMs, sendingMs } = this.#waited(head);
    // Of what the kernel has not taken it is seen whether it moves, if only now and then; of the rest it is not.
    const { queuedBytes, waitedMs } = state.outbox;
    const slownessMs = queuedBytes > 0 ? 4 * waitedMs : sendingMs;
    if (quietMs > Math.max(patienceMs, slownessMs)) {
      this.#lose(state, "timedOut", reason, false);
    }
  }

  /** Ends it for good; what is unanswered fails. What has been written still goes out. */
  close(failure: CallFailure): void {
    const state = this.#state;
    this.#state = { kind: "closed" };
    if (state.kind === "open") {
      state.outbox.release();
      closeSoon(state.socket);
    }
    if (state.kind === "connecting") abandon(state);
    this.#failAll(failure, "the connection was closed");
  }

  #startDial(): void {
    const { dialTimeoutMs } = this.#options;
    const attempt: Connecting = {
      kind: "connecting",
      socket: null,
      address: "its address",
      timer: setTimeout(() => {
        this.#dialFailed(attempt, new Error(`not connected within ${dialTimeoutMs} ms`));
      }, dialTimeoutMs),
    };
    this.#state = attempt;
    this.#observer.route().then(
      (route) => this.#connect(attempt, route),
      (error: unknown) => this.#dialFailed(attempt, error),
    );
  }

  #connect(attempt: Connecting, route: Route): void {
    if (this.#state !== attempt) return;
    const socket = dial(route);
    attempt.socket = socket;
    attempt.address = formatEndpoint(route);
    socket.on("error", (error) => this.#dialFailed(attempt, error));
    socket.once("connect", () => this.#opened(attempt, socket));
  }

  #dialFailed(attempt: Connecting, error: unknown): void {
    if (this.#state !== attempt) return;
    this.#state = idle;
    abandon(attempt);
    const retryInMs = this.#backOff();
    const reason = socketErrorText(error);
    this.#failAll("dialFailed", `cannot connect to ${attempt.address}: ${reason}`);
    const isRefused = reason === "ECONNREFUSED";
    this.#observer.onDialFailed({ address: attempt.address, reason, isRefused, retryInMs });
  }

  #opened(attempt: Connecting, socket: Socket): void {
    if (this.#state !== attempt) return;
    clearTimeout(attempt.timer);
    const open: Open = {
      kind: "open",
      socket,
      outbox: new Outbox(socket),
      movedAtMs: performance.now(),
      reader: new FrameReader("response", this.#options.limits.frameSizeMaxBytes),
      isProven: false,
      address: attempt.address,
      isUsed: false,
    };
    this.#state = open;
    socket.on("data", (chunk: Buffer) => this.#onData(open, chunk));
    socket.on("error", (error) => this.#closedByPeer(open, socketErrorText(error)));
    socket.on("end", () => this.#closedByPeer(open, "closed by the peer"));
    socket.on("close", () => this.#closedByPeer(open, "closed"));
    this.#observer.onOpen(socket, attempt.address);
    this.#queuedBytes = 0;
    this.#headSinceMs = performance.now();
    for (const openCall of this.#calls) this.#write(open, openCall);
    if (!open.isUsed) setTimeout(() => this.#closeUnused(open), unusedMaxMs).unref();
  }

  /** Before the peer wonders who connects and says nothing. */
  #closeUnused(open: Open): void {
    if (this.#state !== open || open.isUsed) return;
    this.#state = idle;
    closeSoon(open.socket);
  }

  #write(open: Open, openCall: OpenCall): void {
    openCall.sentAtMs = performance.now();
    const { call } = openCall;
    if (!open.isUsed) {
      open.isUsed = true;
      this.#observer.onUsed(open.address);
    }
    open.outbox.write(call.encode(), (takenBytes, hasMoved) => {
      openCall.takenAtMs = performance.now();
      if (hasMoved) open.movedAtMs = openCall.takenAtMs;
      call.onTaken?.();
      this.#observer.onTraffic(takenBytes, 0);
    });
    if (this.#deadline === null) this.#armDeadline(call.timeoutMs);
  }

  #onData(open: Open, chunk: Buffer): void {
    if (this.#state !== open) return;
    open.movedAtMs = performance.now();
    this.#observer.onTraffic(0, chunk.length);
    open.reader.push(plainBytes(chunk));
    // An answer may lead the receiver to close us: then what follows is no longer ours.
    while (this.#state === open) {
      const frame = this.#readFrame(open);
      if (frame === null) return;
      this.#answer(open, frame);
    }
  }

  #readFrame(open: Open): Uint8Array | null {
    try {
      return open.reader.next()?.bytes ?? null;
    } catch (error) {
      this.#loseToGarbage(open, error);
      return null;
    }
  }

  #answer(open: Open, frame: Uint8Array): void {
    const openCall = this.#calls.shift();
    if (openCall === undefined) {
      return this.#lose(open, "closed", "the peer answered what nobody asked", false);
    }
    const nowMs = performance.now();
    this.#headSinceMs = nowMs;
    if (!open.isProven) {
      open.isProven = true;
      this.endBackoff();
      this.#observer.onProven();
    }
    try {
      openCall.call.onAnswer(frame, nowMs - openCall.sentAtMs);
    } catch (error) {
      this.#calls.unshift(openCall); // it fails with all the others
      this.#loseToGarbage(open, error);
    }
  }

  /** What the peer sent is no answer. Rethrows what is none of the peer's doing. */
  #loseToGarbage(open: Open, error: unknown): void {
    if (!(error instanceof TransportError) || error.code !== "TRANSPORT_BAD_FRAME") throw error;
    this.#lose(open, "closed", `not an answer: ${describeError(error)}`, false);
    // It has answered, and would be dialled again at once.
    this.#dialNotBeforeMs = performance.now() + this.#options.backoffMaxMs;
  }

  #closedByPeer(open: Open, reason: string): void {
    this.#lose(open, "closedByPeer", reason, true);
  }

  #lose(open: Open, failure: CallFailure, reason: string, isByPeer: boolean): void {
    if (this.#state !== open) return;
    this.#state = idle;
    open.socket.destroy();
    if (open.isUsed && !open.isProven) this.#backOff();
    this.#failAll(failure, reason);
    this.#observer.onLost(reason, isByPeer, open.isUsed);
  }

  #backOff(): number {
    this.#failures++;
    const { backoffMaxMs, random } = this.#options;
    const retryInMs = backoffMs(this.#failures, backoffMaxMs, random());
    this.#dialNotBeforeMs = performance.now() + retryInMs;
    return retryInMs;
  }

  #armDeadline(delayMs: number): void {
    const timer = setTimeout(() => {
      if (this.#overdueMs() < 0) return this.#rearmDeadline();
      // Our own event loop may have stood still (or the process been stopped) while the answer came
      // in: read what is there before judging the peer.
      setImmediate(() => {
        if (this.#deadline !== timer) return;
        if (this.#overdueMs() < 0) return this.#rearmDeadline();
        if (this.#state.kind !== "open") return;
        const waitedMs = Math.round(performance.now() - this.#headSinceMs);
        this.#lose(this.#state, "timedOut", `no answer within ${waitedMs} ms`, false);
      });
    }, delayMs);
    this.#deadline = timer;
  }

  #rearmDeadline(): void {
    this.#deadline = null;
    if (this.#state.kind === "open" && this.#calls.length > 0) {
      this.#armDeadline(Math.max(0, -this.#overdueMs()));
    }
  }

  /**
   * How far the oldest call is past its deadline; negative before. What took long to send may sit in
   * buffers for as long again, on a link as slow as that.
   */
  #overdueMs(): number {
    const [head] = this.#calls;
    if (head === undefined) return Number.NEGATIVE_INFINITY;
    const { quietMs, sendingMs } = this.#waited(head);
    return quietMs - Math.max(head.call.timeoutMs, sendingMs);
  }

  /** How long the oldest call has waited: while the kernel took it, and since then. */
  #waited(head: OpenCall): { readonly sendingMs: number; readonly quietMs: number } {
    const sinceMs = Math.max(head.sentAtMs, this.#headSinceMs);
    const takenAtMs = Math.max(sinceMs, head.takenAtMs);
    return { sendingMs: takenAtMs - sinceMs, quietMs: performance.now() - takenAtMs };
  }

  #failAll(failure: CallFailure, reason: string): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    this.#deadline = null;
    const calls = this.#calls;
    this.#calls = [];
    this.#queuedBytes = 0;
    for (const { call } of calls) this.#refuse(call, failure, reason);
  }

  /** Later, as the caller of `call` is not prepared to hear of a failure before it returns. */
  #refuse(call: Call, failure: CallFailure, reason: string = failure): void {
    const { peerId } = this.#options;
    const error = callFailed(peerId, failure, `no answer from ${peerId}: ${reason}`);
    process.nextTick(() => call.onFailed(error));
  }
}

function abandon(attempt: Connecting): void {
  clearTimeout(attempt.timer);
  attempt.socket?.destroy();
}
