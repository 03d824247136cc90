/** Measures the traffic with one peer. */

/** How the traffic with one peer goes. */
export interface PeerStats {
  /** A Raft connection to the peer stands. */
  readonly isConnected: boolean;
  /** Since it last answered a request, whatever that was; null before. */
  readonly silentMs: number | null;
  /** Moving average over about eight heartbeats; null before the first. */
  readonly smoothedRttMs: number | null;
  readonly lastError: string | null;
  /** Over our connections to the peer; its own connections to us are not counted. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Kept until they are taken, five times a second; the newest are left out beyond. */
const roundTripsMax = 1_000;

export class PeerMeter {
  #roundTripsMs: number[] = [];
  #answeredAtMs: number | null = null;
  #smoothedRttMs: number | null = null;
  #lastError: string | null = null;
  #sentBytes = 0;
  #receivedBytes = 0;

  /** A request was answered: whoever does that does not hang. */
  answered(): void {
    this.#answeredAtMs = performance.now();
  }

  /** A heartbeat was answered: the one answer that no disk delays. */
  roundTrip(rttMs: number): void {
    const smoothed = this.#smoothedRttMs;
    if (this.#roundTripsMs.length < roundTripsMax) this.#roundTripsMs.push(rttMs);
    this.#smoothedRttMs = smoothed === null ? rttMs : smoothed + (rttMs - smoothed) / 8;
  }

  traffic(sentBytes: number, receivedBytes: number): void {
    this.#sentBytes += sentBytes;
    this.#receivedBytes += receivedBytes;
  }

  failed(reason: string): void {
    this.#lastError = reason;
  }

  /** What each heartbeat took that was answered since this was last asked. */
  takeRoundTripsMs(): readonly number[] {
    const taken = this.#roundTripsMs;
    this.#roundTripsMs = [];
    return taken;
  }

  stats(isConnected: boolean): PeerStats {
    return {
      isConnected,
      silentMs: this.#answeredAtMs === null ? null : performance.now() - this.#answeredAtMs,
      smoothedRttMs: this.#smoothedRttMs,
      lastError: this.#lastError,
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
    };
  }
}
