/**
 * Tells a crashed process from a broken connection (P10). When a process dies the kernel closes its
 * sockets and its port refuses; so a connection that the peer closed makes us dial its port once. A
 * dead host, a partition or a slow peer neither closes nor refuses, and proves nothing here.
 *
 *   unknown --connected--> alive --a connection was lost--> suspect --port refuses--> gone (reported)
 *                            ^                                 |                        |
 *                            +----------- connected -----------+------------------------+
 */

import type { Socket } from "node:net";
import type { Route } from "./address.ts";
import { dial, socketErrorText } from "./socket.ts";

/** Between two probes of one peer; one that falls due earlier waits. */
const probePauseMs = 100;
/** No answer at all within this time means a lost host or network, which is not ours to judge. */
const connectTimeoutMs = 500;
/**
 * A dying process may go on accepting for a while after its connections have closed: the kernel tears
 * down one socket after the other. So a probe that got through stays open for this long, and is
 * made again, after a short pause, if it is closed.
 */
const settleMs = 1_000;
const probeAttemptsMax = 8;
const retryPauseMs = 2;

export interface CrashDetectorDependencies {
  /** Where the process listens, if it lives; rejects if that is not known for sure. */
  route(): Promise<Route>;
  /** The process is gone; called once until it has been seen again. */
  onGone(): void;
}

export class CrashDetector {
  readonly #dependencies: CrashDetectorDependencies;
  #state: "unknown" | "alive" | "suspect" | "gone" | "stopped" = "unknown";
  #isProbing = false;
  #probedAtMs = Number.NEGATIVE_INFINITY;
  #socket: Socket | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(dependencies: CrashDetectorDependencies) {
    this.#dependencies = dependencies;
  }

  /** A connection with the peer stands. */
  connected(): void {
    if (this.#state !== "stopped") this.#state = "alive";
  }

  /** A connection that stood is lost; `isByPeer` if its end, or its kernel, closed it. */
  lost(isByPeer: boolean): void {
    if (this.#state === "alive") this.#state = "suspect";
    if (this.#state === "suspect" && isByPeer) this.#probeSoon();
  }

  /** The port that the process listened on refused a connection, for whatever purpose. */
  refused(): void {
    if (this.#state !== "suspect") return;
    this.#state = "gone";
    this.#dependencies.onGone();
  }

  stop(): void {
    this.#state = "stopped";
    this.#endAttempt();
  }

  #probeSoon(): void {
    if (this.#isProbing) return;
    this.#isProbing = true;
    const waitMs = this.#probedAtMs + probePauseMs - performance.now();
    if (waitMs <= 0) this.#probe(1);
    else this.#after(waitMs, () => this.#probe(1));
  }

  #probe(attempt: number): void {
    this.#endAttempt();
    if (this.#state !== "suspect") return this.#endProbe();
    this.#probedAtMs = performance.now();
    this.#dependencies.route().then(
      (route) => this.#dial(route, attempt),
      () => this.#endProbe(),
    );
  }

  #dial(route: Route, attempt: number): void {
    if (this.#state !== "suspect") return this.#endProbe();
    const socket = dial(route);
    this.#socket = socket;
    this.#after(connectTimeoutMs, () => this.#endProbe());
    const closed = (error?: Error) => {
      if (this.#socket !== socket) return;
      this.#endAttempt();
      if (socketErrorText(error) === "ECONNREFUSED") {
        this.#endProbe();
        this.refused();
      } else if (attempt < probeAttemptsMax) {
        this.#after(retryPauseMs * 2 ** attempt, () => this.#probe(attempt + 1));
      } else this.#endProbe();
    };
    socket.on("error", closed);
    socket.on("end", closed);
    socket.once("connect", () => {
      if (this.#socket !== socket) return;
      this.#after(settleMs, () => {
        this.#endProbe();
        this.connected();
      });
    });
    socket.resume(); // an end is seen only by who reads
  }

  #after(delayMs: number, action: () => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(action, delayMs);
  }

  #endProbe(): void {
    this.#isProbing = false;
    this.#endAttempt();
  }

  #endAttempt(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#socket?.destroy();
    this.#socket = null;
  }
}
