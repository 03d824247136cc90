/**
 * How much may be under way at once. One client can pipeline requests without end on one connection,
 * or announce large bodies on many, so neither the number of connections nor the size of a body
 * bounds memory; this does.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export interface AdmissionLimits {
  readonly requestsInFlightMax: number;
  readonly bodiesInFlightMaxBytes: number;
  readonly bodyMaxBytes: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #openOn = new WeakMap<Socket, number>();
  #requests = 0;
  #bodyBytes = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Counts the request until its response is out or its connection gone; false if that is one too many. */
  admit(request: IncomingMessage, response: ServerResponse, isProbe: boolean): boolean {
    const bodyBytes = this.#announcedBytes(request);
    const isFull =
      this.#requests >= this.#limits.requestsInFlightMax ||
      this.#bodyBytes + bodyBytes > this.#limits.bodiesInFlightMaxBytes;
    if (isFull && !isProbe) return false;
    const { socket } = request;
    this.#add(socket, 1, bodyBytes);
    let isOpen = true;
    const leave = () => {
      if (!isOpen) return;
      isOpen = false;
      this.#add(socket, -1, -bodyBytes);
    };
    // A pipelined response that never had its turn does not close; its request does.
    response.once("close", leave);
    request.once("close", leave);
    return true;
  }

  /** Whether an answer is owed on this connection: then nothing else may be written to it. */
  isAnswering(socket: Socket): boolean {
    return (this.#openOn.get(socket) ?? 0) > 0;
  }

  get requests(): number {
    return this.#requests;
  }

  #add(socket: Socket, requests: number, bodyBytes: number): void {
    this.#requests += requests;
    this.#bodyBytes += bodyBytes;
    this.#openOn.set(socket, (this.#openOn.get(socket) ?? 0) + requests);
  }

  /** A body too large is not read; one of unknown length counts as the largest. */
  #announcedBytes({ headers }: IncomingMessage): number {
    if (headers["transfer-encoding"] !== undefined) return this.#limits.bodyMaxBytes;
    const length = Number(headers["content-length"] ?? 0);
    return Math.min(length, this.#limits.bodyMaxBytes);
  }
}
