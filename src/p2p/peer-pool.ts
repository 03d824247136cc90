/** Whom to ask next. Liars are dropped for good; slow and failing peers rest, and are asked last. */

import { sleep } from "../base/task-group.ts";
import type { Height } from "../block/types.ts";
import type { OldestAvailable, OnP2pEvent } from "./event.ts";
import type { Range } from "./exchange.ts";
import { reportIntervalMs } from "./limits.ts";
import { type Outcome, PeerScore, requestsInFlightMax } from "./peer-score.ts";
import type { Served } from "./protocol.ts";

export interface PeerPoolDependencies {
  /** Peer ids connected now. */
  readonly connected: () => readonly string[];
  /** What a peer says it serves; null if it does not say. */
  readonly served: (peerId: string) => Promise<Served | null>;
  readonly nowMs: () => number;
  readonly onEvent: OnP2pEvent;
}

export interface Wish {
  /** Ask none of these. */
  readonly except: ReadonlySet<string>;
  /** Only a peer that has nothing else to do. */
  readonly idleOnly: boolean;
}

/** Connections, rests and statements are looked at again after this, if nothing happens before. */
const lookAgainMs = 200;

/** A peer's statement about what it serves is asked for again after this. */
const statementMaxAgeMs = 2_000;

export class PeerPool {
  readonly #chainId: string;
  readonly #dependencies: PeerPoolDependencies;
  readonly #scores = new Map<string, PeerScore>();
  readonly #dropped = new Map<string, string>();
  readonly #askedAtMs = new Map<string, number>();
  readonly #waiters = new Set<() => void>();
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(chainId: string, dependencies: PeerPoolDependencies) {
    this.#chainId = chainId;
    this.#dependencies = dependencies;
  }

  /** Peers that are not asked any more, with the reason. */
  get dropped(): ReadonlyMap<string, string> {
    return this.#dropped;
  }

  /** The best peer for `range` that is free, as soon as there is one. Give it back with `release`. */
  async acquire(range: Range, wish: Wish, signal: AbortSignal): Promise<string> {
    for (let turn = 0; ; turn++) {
      signal.throwIfAborted();
      this.#refresh();
      const peer = this.#pick(range, wish);
      if (peer !== null) {
        peer.inFlight++;
        return peer.peerId;
      }
      // Not at once: peers connect and tell what they serve in the first moments.
      if (turn > 0 && !wish.idleOnly) this.#tellIfNobodyServes(range);
      await this.#change(signal);
    }
  }

  release(peerId: string, outcome: Outcome): void {
    const score = this.#scoreOf(peerId);
    score.inFlight--;
    score.note(outcome, this.#dependencies.nowMs());
    // It may have pruned the block, or have got it, since it last said so.
    if (outcome.kind === "failed") this.#askedAtMs.delete(peerId);
    this.#wake();
  }

  /** Never asks this peer again. */
  drop(peerId: string, reason: string): void {
    if (this.#dropped.has(peerId)) return;
    this.#dropped.set(peerId, reason);
    this.#dependencies.onEvent({ kind: "badPeer", peerId, reason });
    this.#wake();
  }

  #pick(range: Range, { except, idleOnly }: Wish): PeerScore | null {
    const nowMs = this.#dependencies.nowMs();
    const freeBelow = idleOnly ? 1 : requestsInFlightMax;
    let best: PeerScore | null = null;
    for (const peer of this.#usable()) {
      if (except.has(peer.peerId) || peer.inFlight >= freeBelow) continue;
      if (!peer.mayHave(range.from) || peer.isResting(nowMs)) continue;
      if (best === null || isBetter(peer, best)) best = peer;
    }
    return best;
  }

  #usable(): PeerScore[] {
    return this.#dependencies
      .connected()
      .filter((peerId) => !this.#dropped.has(peerId))
      .map((peerId) => this.#scoreOf(peerId));
  }

  #scoreOf(peerId: string): PeerScore {
    const known = this.#scores.get(peerId) ?? new PeerScore(peerId);
    this.#scores.set(peerId, known);
    return known;
  }

  /** Asks peers what they serve, if that is not known or long ago. Nobody waits for it. */
  #refresh(): void {
    const nowMs = this.#dependencies.nowMs();
    for (const peer of this.#usable()) {
      const askedAtMs = this.#askedAtMs.get(peer.peerId) ?? Number.NEGATIVE_INFINITY;
      if (nowMs - askedAtMs < statementMaxAgeMs) continue;
      this.#askedAtMs.set(peer.peerId, nowMs);
      // It answers null for whatever goes wrong.
      void this.#dependencies.served(peer.peerId).then((served) => this.#note(peer, served));
    }
  }

  #note(peer: PeerScore, served: Served | null): void {
    if (served !== null && served.chainId !== this.#chainId) {
      const chains = `${JSON.stringify(served.chainId)}, not ${JSON.stringify(this.#chainId)}`;
      return this.drop(peer.peerId, `it serves chain ${chains}`);
    }
    peer.wasHeard = true;
    // What it said once still holds if it does not answer this time.
    if (served !== null) {
      peer.served = served.blocks;
      peer.isEmpty = served.blocks === null;
    }
    this.#wake();
  }

  #tellIfNobodyServes(range: Range): void {
    const usable = this.#usable();
    const hopeful = usable.some(
      (peer) => !peer.wasHeard || (peer.mayHave(range.from) && peer.failures < 2),
    );
    const nowMs = this.#dependencies.nowMs();
    if (hopeful || nowMs - this.#toldAtMs < reportIntervalMs) return;
    this.#toldAtMs = nowMs;
    const oldest = oldestOf(usable);
    this.#dependencies.onEvent({
      kind: "waiting",
      fromHeight: range.from,
      toHeight: range.to,
      reason: this.#explain(range.from, usable, oldest),
      oldest,
    });
  }

  #explain(height: Height, usable: readonly PeerScore[], oldest: OldestAvailable | null): string {
    if (usable.length === 0) {
      return this.#dropped.size > 0
        ? "every connected peer served a bad block, and is not asked again before a restart"
        : "no peer is connected; check p2p.peers, and that their p2p ports are open";
    }
    const [failing] = usable.filter((peer) => peer.mayHave(height));
    if (failing !== undefined) {
      const { peerId, failure } = failing;
      return `no peer serves block ${height}, and it is tried again; ${peerId}: ${failure}`;
    }
    if (oldest === null) return `no peer has block ${height}: none of them has any blocks`;
    return height < oldest.height
      ? `no peer has block ${height} any more: the oldest one available is ${oldest.height}, from ${oldest.peerId}. Add a peer with the whole chain to p2p.peers, or copy the data directory of one`
      : `no peer has block ${height} yet`;
  }

  #change(signal: AbortSignal): Promise<void> {
    const wait = new AbortController();
    const wake = () => wait.abort();
    this.#waiters.add(wake);
    return sleep(lookAgainMs, AbortSignal.any([signal, wait.signal])).finally(() =>
      this.#waiters.delete(wake),
    );
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }
}

/** The higher score first; among equals the one with less to do. */
function isBetter(a: PeerScore, b: PeerScore): boolean {
  const difference = a.score - a.inFlight * 0.2 - (b.score - b.inFlight * 0.2);
  return difference > 0;
}

function oldestOf(peers: readonly PeerScore[]): OldestAvailable | null {
  let oldest: OldestAvailable | null = null;
  for (const { peerId, served } of peers) {
    if (served === null || (oldest !== null && oldest.height <= served.earliestHeight)) continue;
    oldest = { height: served.earliestHeight, peerId };
  }
  return oldest;
}
