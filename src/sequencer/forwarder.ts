/** Offers the transactions of this node to whoever leads, and answers such offers while leading. */

import { sleep } from "../base/task-group.ts";
import type { Height } from "../block/types.ts";
import { OfferPace } from "./offer-pace.ts";
import type { ConsensusPort, PeerReply } from "./ports.ts";
import { decodeTxBatch, encodeTxBatch, offerMethod, offerStatus } from "./tx-batch.ts";
import { markOffered, type PendingTx, type TxPool } from "./tx-pool.ts";

export interface ForwarderOptions {
  /** Between an offer that failed and the next. */
  readonly retryDelayMs: number;
  /** For the leader to answer a small offer; a large one has more, see `OfferPace`. */
  readonly answerTimeoutMs: number;
}

export interface ForwarderDependencies {
  readonly pool: TxPool;
  readonly consensus: ConsensusPort;
  /** The leader to offer to: another node; null if there is none, or this one leads. */
  readonly leader: () => Leader | null;
  /** Up to here this node has looked for its clients' transactions in every block. */
  readonly searchedThrough: () => Height;
  readonly onRefused: (leaderId: string, reason: string) => void;
}

const batchMaxCount = 5_000;

interface Leader {
  readonly id: string;
  readonly term: number;
}

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #dependencies: ForwarderDependencies;
  readonly #pace: OfferPace;
  #lastTerm: number | null = null;
  /** The offer that waits for its answer, if any. */
  #asked: { readonly leader: Leader; readonly abandon: () => void } | null = null;
  #wake: () => void = () => {};
  #hasWork = false;
  /** The last offer came too early: the next holds nothing, and only asks. */
  #isEarly = false;

  constructor(options: ForwarderOptions, dependencies: ForwarderDependencies) {
    this.#options = options;
    this.#pace = new OfferPace(options.answerTimeoutMs);
    this.#dependencies = dependencies;
  }

  /** There is a new transaction, or a new leader. */
  wake(): void {
    this.#hasWork = true;
    this.#wake();
    const leads = this.#dependencies.leader();
    // Who does not lead any more may have died, and its successor must not wait for that answer.
    if (this.#asked !== null && this.#asked.leader.term !== leads?.term) this.#asked.abandon();
  }

  async run(signal: AbortSignal): Promise<void> {
    const end = () => {
      this.#wake();
      this.#asked?.abandon();
    };
    signal.addEventListener("abort", end, { once: true });
    while (!signal.aborted) {
      this.#hasWork = false;
      const isDone = await this.#offerAll(signal);
      if (!isDone) await sleep(this.#options.retryDelayMs, signal);
      else if (!this.#hasWork && !signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** False if an offer failed and is to be repeated after a while. */
  async #offerAll(signal: AbortSignal): Promise<boolean> {
    const { pool, onRefused } = this.#dependencies;
    while (!signal.aborted) {
      const leader = this.#dependencies.leader();
      if (leader === null) return true;
      if (leader.term !== this.#lastTerm) this.#pace.reset();
      this.#lastTerm = leader.term;
      const waiting = pool.notTaken(leader.term, this.#pace.maxBytes, batchMaxCount);
      if (waiting.length === 0) return true;
      const batch = this.#isEarly ? [] : waiting;
      const absentThrough = this.#dependencies.searchedThrough();
      for (const pending of batch) pending.isBeingOffered = true;
      const reply = await this.#ask(leader, encodeTxBatch({ absentThrough, txs: batch }));
      for (const pending of batch) {
        pending.isBeingOffered = false;
        if (reply === null || mayHaveTaken(reply)) markOffered(pending, leader.term);
      }
      if (reply === null) continue;
      if (reply.kind === "failed") return false;
      this.#isEarly = reply.status === offerStatus.tooEarly;
      const refusal = refusalOf(reply.status);
      if (refusal !== null) onRefused(leader.id, refusal);
      if (reply.status !== offerStatus.taken) return false;
      for (const pending of batch) pending.takenTerm = leader.term;
    }
    return true;
  }

  /** null if it was not waited for: another leads, or this node stops. */
  async #ask(leader: Leader, body: Uint8Array): Promise<PeerReply | null> {
    const abandoned = Promise.withResolvers<null>();
    this.#asked = { leader, abandon: () => abandoned.resolve(null) };
    const askedAtMs = performance.now();
    const timeoutMs = this.#pace.timeoutMs(body.length);
    const { consensus } = this.#dependencies;
    const answer = consensus.askPeer(leader.id, offerMethod, body, timeoutMs);
    const reply = await Promise.race([answer, abandoned.promise]);
    this.#asked = null;
    if (reply?.kind === "answered") this.#pace.answered(performance.now() - askedAtMs);
    else if (reply?.failure === "unanswered") this.#pace.unanswered();
    return reply;
  }
}

/** null if it took them, or leads no more: then there will be another. */
function refusalOf(status: number): string | null {
  switch (status) {
    case offerStatus.taken:
    case offerStatus.notLeader:
      return null;
    case offerStatus.tooEarly:
      return "nobody can tell yet whether they are in blocks already: they wait until this node and the leader have caught up";
    case offerStatus.full:
      return "its queue is full: rpc.queue_max_txs and rpc.queue_max_bytes there";
    case offerStatus.malformed:
      return "it cannot read them: compare the versions of both nodes";
    default:
      return `it answered ${status}: compare the versions of both nodes`;
  }
}

/** A leader whose queue is full took the first ones; one that did not answer may have taken all. */
function mayHaveTaken(reply: PeerReply): boolean {
  if (reply.kind === "failed") return reply.failure === "unanswered";
  return reply.status === offerStatus.taken || reply.status === offerStatus.full;
}

export interface OfferTaker {
  readonly isLeading: boolean;
  /** From here to the end of the log it can name every transaction of every block; null while it lacks blocks itself. */
  readonly identifiedFrom: Height | null;
  /** Adds one transaction; false if there is no room. */
  readonly take: (tx: Pick<PendingTx, "id" | "tx">) => boolean;
}

/**
 * The leader's side. How large a client's transaction may be is for the node that accepted it: one refusal here would
 * hold up all behind it. What may be in a block that neither of the two knows enough of is not taken: it would
 * be executed again (P7).
 */
export function answerOffer(
  body: Uint8Array,
  { isLeading, identifiedFrom, take }: OfferTaker,
): number {
  if (!isLeading) return offerStatus.notLeader;
  const batch = decodeTxBatch(body);
  if (batch === null) return offerStatus.malformed;
  const { absentThrough, txs } = batch;
  if (identifiedFrom === null || absentThrough + 1 < identifiedFrom) return offerStatus.tooEarly;
  // Taking a part is safe: the rest, offered again, brings the part along, and it is known by then.
  return txs.every(take) ? offerStatus.taken : offerStatus.full;
}
