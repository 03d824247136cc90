/**
 * The requests under way: how many there may be, and when their clients have gone.
 *
 * One client can pipeline requests without end on one connection, or announce large bodies on many,
 * so neither the number of connections nor the size of a body bounds memory; this does. The same holds for
 * answers, which wait here for clients that read slowly.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { defined } from "../base/assert.ts";

export interface AdmissionLimits {
  readonly requestsInFlightMax: number;
  readonly bodiesInFlightMaxBytes: number;
  readonly bodyMaxBytes: number;
  readonly answersInFlightMaxBytes: number;
  readonly answerTimeoutMs: number;
}

/** Smaller answers are not worth counting: requests are. A probe's are. */
const largeAnswerBytes = 4 * 1024;

interface OpenRequest {
  readonly request: IncomingMessage;
  /** What may have to be held of it until it is answered. */
  readonly bodyBytes: number;
  /** A large answer, until its client has read it. */
  answerBytes: number;
  answerTimer: NodeJS.Timeout | undefined;
  isAbandoned: boolean;
  /** Made for those who ask. */
  abort: AbortController | null;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #openOn = new Map<Socket, Set<OpenRequest>>();
  readonly #openOf = new WeakMap<IncomingMessage, OpenRequest>();
  #requests = 0;
  #bodyBytes = 0;
  #answerBytes = 0;
  #isClosing = false;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** To be told of every connection before its first request. */
  connected(socket: Socket): void {
    const openHere = new Set<OpenRequest>();
    this.#openOn.set(socket, openHere);
    socket.once("close", () => {
      this.#openOn.delete(socket);
      // Only the response whose turn it is closes with its connection; those queued behind it do not.
      for (const open of openHere) this.#end(openHere, open, false);
    });
  }

  /** Counts the request until its response is out or its connection gone; false if that is one too many. */
  admit(request: IncomingMessage, response: ServerResponse, isProbe: boolean): boolean {
    const bodyBytes = this.#announcedBytes(request);
    const isFull =
      this.#requests >= this.#limits.requestsInFlightMax ||
      this.#bodyBytes + bodyBytes > this.#limits.bodiesInFlightMaxBytes;
    const openHere = this.#openOn.get(request.socket);
    // Without a connection there is nobody left to answer.
    if (openHere === undefined || (isFull && !isProbe)) return false;
    const open: OpenRequest = {
      request,
      bodyBytes,
      answerBytes: 0,
      answerTimer: undefined,
      isAbandoned: false,
      abort: null,
    };
    this.#requests += 1;
    this.#bodyBytes += bodyBytes;
    this.#openOf.set(request, open);
    openHere.add(open);
    response.once("close", () => this.#end(openHere, open, response.writableFinished));
    return true;
  }

  /** Counts the answer until it is read or its time is over; false if there are too many that large already. */
  admitAnswer(request: IncomingMessage, answerBytes: number, mustGoOut: boolean): boolean {
    const open = defined(this.#openOf.get(request), "a request is admitted before it is answered");
    if (answerBytes < largeAnswerBytes || open.isAbandoned) return true;
    const isTooMuch = this.#answerBytes + answerBytes > this.#limits.answersInFlightMaxBytes;
    if (isTooMuch && !mustGoOut) return false;
    open.answerBytes = answerBytes;
    this.#answerBytes += answerBytes;
    const { answerTimeoutMs } = this.#limits;
    open.answerTimer = setTimeout(() => request.socket.destroy(), answerTimeoutMs).unref();
    return true;
  }

  /**
   * Aborts when the client goes away before its answer is out. fastify's own `request.signal` cannot
   * be used: it aborts as soon as the body is read, since `close` of a request means just that.
   */
  signalOf(request: IncomingMessage): AbortSignal {
    const open = defined(this.#openOf.get(request), "a request is admitted before it is handled");
    open.abort ??= new AbortController();
    if (open.isAbandoned) open.abort.abort();
    return open.abort.signal;
  }

  /** Whether a request that has wholly arrived on this connection still waits for its answer. */
  owesAnswer(socket: Socket): boolean {
    for (const open of this.#openOn.get(socket) ?? []) if (open.request.complete) return true;
    return false;
  }

  get requests(): number {
    return this.#requests;
  }

  /** Closes the connections on which no answer is due, and each of the others once it is out. */
  close(): void {
    this.#isClosing = true;
    for (const [socket, openHere] of this.#openOn) if (openHere.size === 0) socket.destroy();
  }

  #end(openHere: Set<OpenRequest>, open: OpenRequest, isAnswered: boolean): void {
    if (!openHere.delete(open)) return;
    this.#requests -= 1;
    this.#bodyBytes -= open.bodyBytes;
    this.#answerBytes -= open.answerBytes;
    clearTimeout(open.answerTimer);
    if (this.#isClosing && openHere.size === 0) open.request.socket.destroy();
    if (isAnswered) return;
    open.isAbandoned = true;
    open.abort?.abort();
  }

  /** A body too large is not read; one of unknown length counts as the largest. */
  #announcedBytes({ headers }: IncomingMessage): number {
    if (headers["transfer-encoding"] !== undefined) return this.#limits.bodyMaxBytes;
    const length = Number(headers["content-length"] ?? 0);
    return Math.min(length, this.#limits.bodyMaxBytes);
  }
}
