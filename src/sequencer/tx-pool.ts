/**
 * Transactions that wait to be in a block, in order of arrival. Every node has a pool: the accepting
 * node keeps a transaction until it sees it applied, and offers it to whoever leads; the leader takes its
 * blocks from its own.
 */

import { toHex } from "../base/bytes.ts";
import type { TxLocation } from "../block/types.ts";

export type TxFate =
  | { readonly kind: "committed"; readonly location: TxLocation }
  /** `mayCommit`: a leader was offered it, or an execution client has it: it may still be put into a block. */
  | { readonly kind: "unavailable"; readonly reason: string; readonly mayCommit: boolean };

export interface Waiter {
  readonly settle: (fate: TxFate) => void;
  /** It gives up when there was no leader for so long, or one for so long: on two clocks of this node. */
  readonly leaderlessUntilMs: number;
  readonly ledUntilMs: number;
}

export interface PendingTx {
  readonly id: Uint8Array;
  readonly tx: Uint8Array;
  /**
   * Who keeps it: this node for its client, a node that forwarded it and counts on this one while it
   * leads, or each of them, where a client sent it to two nodes.
   */
  origin: "client" | "peer" | "both";
  /** Kept on disk until it is committed (`wait=accept`). */
  isDurable: boolean;
  /** It waited here before, in this process or an earlier one: a leader may have been offered it then. */
  hasWaitedBefore: boolean;
  readonly waiters: Set<Waiter>;
  /** By a monotonic clock, since this process started. */
  readonly addedAtMs: number;
  /** The term of the last leader that was offered it, whether or not the leader answered. */
  offeredTerm: number | null;
  /** Leaders it was offered to so far. */
  offers: number;
  /** An offer of it is under way: the leader may have it, or may not. */
  isBeingOffered: boolean;
  /** The term of the last leader that said it has it. */
  takenTerm: number | null;
}

/** The leader of `term` may have the transaction from now on. */
export function markOffered(pending: PendingTx, term: number): void {
  if (pending.offeredTerm === term) return;
  pending.offeredTerm = term;
  pending.offers++;
}

export interface PoolLimits {
  readonly maxTxs: number;
  readonly maxBytes: number;
  /** Leaders that a transaction is offered to while its client waits; one that is kept on disk has no such limit. */
  readonly maxOffers: number;
}

export interface TakeLimits {
  readonly maxBytes: number;
  readonly maxCount: number;
  readonly skip: (pending: PendingTx) => boolean;
}

export class TxPool {
  readonly #limits: PoolLimits;
  readonly #pending = new Map<string, PendingTx>();
  #bytes = 0;

  constructor(limits: PoolLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#pending.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(id: Uint8Array): PendingTx | null {
    return this.#pending.get(toHex(id)) ?? null;
  }

  hasRoomFor(tx: Uint8Array): boolean {
    return (
      this.#pending.size < this.#limits.maxTxs && this.#bytes + tx.length <= this.#limits.maxBytes
    );
  }

  /**
   * For one that another node has accepted. That node's limits may be wider than this one's: a transaction
   * that would never fit is let in over the limit, one at a time, or all behind it would wait for it for ever.
   */
  hasRoomForOffer(tx: Uint8Array): boolean {
    if (tx.length <= this.#limits.maxBytes) return this.hasRoomFor(tx);
    return this.#pending.size < this.#limits.maxTxs && this.#bytes <= this.#limits.maxBytes;
  }

  /** Takes a transaction in that is not there yet. The caller has checked for room. */
  add(tx: Pick<PendingTx, "id" | "tx" | "origin" | "isDurable">): PendingTx {
    const untried = {
      hasWaitedBefore: false,
      addedAtMs: performance.now(),
      offeredTerm: null,
      offers: 0,
      isBeingOffered: false,
      takenTerm: null,
    };
    const pending: PendingTx = { ...tx, waiters: new Set<Waiter>(), ...untried };
    this.#pending.set(toHex(tx.id), pending);
    this.#bytes += tx.tx.length;
    return pending;
  }

  remove(id: Uint8Array): PendingTx | null {
    const name = toHex(id);
    const pending = this.#pending.get(name) ?? null;
    if (pending !== null) {
      this.#pending.delete(name);
      this.#bytes -= pending.tx.length;
    }
    return pending;
  }

  /**
   * Whether the leader of `term` would be one more than this transaction may be offered to. Not if another
   * node counts on this one for it: that goes by its own count.
   */
  isExhausted({ origin, isDurable, offers, offeredTerm }: PendingTx, term: number): boolean {
    if (isDurable || origin !== "client") return false;
    return offers >= this.#limits.maxOffers && offeredTerm !== term;
  }

  /** The oldest transactions that fit into a block of `term`, without those to skip; at least one if there is one. */
  take(term: number, { maxBytes, maxCount, skip }: TakeLimits): PendingTx[] {
    const taken: PendingTx[] = [];
    let bytes = 0;
    for (const pending of this.#pending.values()) {
      if (this.isExhausted(pending, term) || skip(pending)) continue;
      bytes += pending.tx.length;
      if (taken.length >= maxCount || (taken.length > 0 && bytes > maxBytes)) break;
      taken.push(pending);
    }
    return taken;
  }

  /** Whoever else keeps it goes on: what a leader may have put into a block stays known as such. */
  keepFor(pending: PendingTx, keeper: "client" | "peer"): void {
    if (pending.origin !== keeper) pending.origin = "both";
  }

  /** Gone unless somebody else keeps it. */
  release(pending: PendingTx, keeper: "client" | "peer"): void {
    if (pending.origin === keeper) this.remove(pending.id);
    else if (pending.origin === "both") pending.origin = keeper === "client" ? "peer" : "client";
  }

  /** The oldest transactions of this node's clients that the leader of `term` does not have. */
  notTaken(term: number, maxBytes: number, maxCount: number): PendingTx[] {
    const chosen: PendingTx[] = [];
    let bytes = 0;
    for (const pending of this.#pending.values()) {
      if (pending.origin === "peer" || pending.takenTerm === term) continue;
      if (this.isExhausted(pending, term)) continue;
      bytes += pending.tx.length;
      if (chosen.length >= maxCount || (chosen.length > 0 && bytes > maxBytes)) break;
      chosen.push(pending);
    }
    return chosen;
  }

  /** This node leads no more: what others forwarded to it, they will offer to the next leader. */
  dropForwarded(): void {
    for (const pending of [...this.#pending.values()]) this.release(pending, "peer");
  }

  *[Symbol.iterator](): IterableIterator<PendingTx> {
    yield* this.#pending.values();
  }
}
