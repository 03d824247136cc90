/**
 * Reads of what the embedded executor keeps. A linearizable one sees every write that was answered before it began:
 *
 *   which index is committed, says a leader that a majority confirms -> wait until that is applied here -> read
 */

import { sleep } from "../base/task-group.ts";
import type { Consensus } from "../consensus/consensus.ts";
import type { ConsensusView } from "../consensus/messages.ts";
import type { KvExecutor } from "../execution/kv.ts";
import type { ReadOutcome } from "../rpc/api.ts";
import type { Sequencer } from "../sequencer/sequencer.ts";
import { decodeReadIndex, peerMethods } from "./peer-requests.ts";

export interface StateReadOptions {
  readonly nodeId: string;
  /** What is committed is applied here after so long, or the client is told that it is not. */
  readonly applyTimeoutMs: number;
}

export interface StateReadDependencies {
  readonly consensus: Pick<Consensus, "askPeer" | "confirmLeadership"> & {
    view(): Promise<{ readonly status: Pick<ConsensusView["status"], "leaderId"> } | null>;
  };
  readonly sequencer: Pick<Sequencer, "whenApplied" | "unreadyReason">;
  /** null where the executor keeps no readable state. */
  readonly kv: Pick<KvExecutor, "read"> | null;
}

const askLeaderTimeoutMs = 1_000;

export class StateReads {
  readonly #options: StateReadOptions;
  readonly #consensus: StateReadDependencies["consensus"];
  readonly #sequencer: StateReadDependencies["sequencer"];
  readonly #kv: StateReadDependencies["kv"];

  constructor(options: StateReadOptions, { consensus, sequencer, kv }: StateReadDependencies) {
    this.#options = options;
    this.#consensus = consensus;
    this.#sequencer = sequencer;
    this.#kv = kv;
  }

  async read(
    key: Uint8Array,
    consistency: "linearizable" | "stale",
    signal: AbortSignal,
  ): Promise<ReadOutcome> {
    if (this.#kv === null) {
      const reason = "the execution client keeps the state: ask it over its own JSON-RPC";
      return { kind: "unsupported", reason };
    }
    if (consistency === "linearizable") {
      const index = await this.#readIndex(signal);
      if (index === null) {
        const reason = "no majority confirmed a leader, so the newest value cannot be known";
        return { kind: "unavailable", reason };
      }
      // A duration may have a fraction, a signal's timer none.
      const timeoutMs = Math.ceil(this.#options.applyTimeoutMs);
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      await this.#sequencer.whenApplied(index, limit);
      if (signal.aborted) return { kind: "unavailable", reason: "the client went away" };
      if (limit.aborted) return { kind: "unavailable", reason: this.#whyNotApplied() };
    }
    return { kind: "value", ...this.#kv.read(key) };
  }

  #whyNotApplied(): string {
    const why = this.#sequencer.unreadyReason ?? "committed blocks are not yet applied";
    return `the newest value is not on this node yet (${why}): ask another, or try again`;
  }

  /** The index that must be applied here before a read is linearizable; asked of the leader. */
  async #readIndex(signal: AbortSignal): Promise<number | null> {
    const { leaderId } = (await this.#consensus.view())?.status ?? { leaderId: null };
    if (leaderId === null) return null;
    if (leaderId === this.#options.nodeId) {
      // A leader that has not committed anything of its term yet cannot say, for as long as that takes.
      const timeout = sleep(askLeaderTimeoutMs, signal).then(() => null);
      return await Promise.race([this.#consensus.confirmLeadership(), timeout]);
    }
    const { readIndex } = peerMethods;
    const nothing = new Uint8Array(0);
    const reply = await this.#consensus.askPeer(leaderId, readIndex, nothing, askLeaderTimeoutMs);
    if (reply.kind === "failed" || reply.status !== 200) return null;
    return decodeReadIndex(reply.body);
  }
}
