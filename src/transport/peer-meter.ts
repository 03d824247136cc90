/** Measures the traffic with one peer. */

/** How the traffic with one peer goes. */
export interface PeerStats {
  /** A Raft connection to the peer stands. */
  readonly isConnected: boolean;
  /** Of the last heartbeat that was answered; null before. */
  readonly lastRttMs: number | null;
  /** Moving average over about eight heartbeats; null before the first. */
  readonly smoothedRttMs: number | null;
  readonly lastError: string | null;
  /** Over our connections to the peer; its own connections to us are not counted. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export class PeerMeter {
  #lastRttMs: number | null = null;
  #smoothedRttMs: number | null = null;
  #lastError: string | null = null;
  #sentBytes = 0;
  #receivedBytes = 0;

  /** A heartbeat was answered: the one answer that no disk delays. */
  roundTrip(rttMs: number): void {
    const smoothed = this.#smoothedRttMs;
    this.#lastRttMs = rttMs;
    this.#smoothedRttMs = smoothed === null ? rttMs : smoothed + (rttMs - smoothed) / 8;
  }

  traffic(sentBytes: number, receivedBytes: number): void {
    this.#sentBytes += sentBytes;
    this.#receivedBytes += receivedBytes;
  }

  failed(reason: string): void {
    this.#lastError = reason;
  }

  stats(isConnected: boolean): PeerStats {
    return {
      isConnected,
      lastRttMs: this.#lastRttMs,
      smoothedRttMs: this.#smoothedRttMs,
      lastError: this.#lastError,
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
    };
  }
}
