/** Hears what the sequencer and the consensus thread do, and narrates it; knows who leads. */

import type { BlockPayload } from "../block/types.ts";
import type { RoleReport } from "../consensus/driver.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Narrator } from "../observability/narrate.ts";
import type { AppliedBlock, Backlog } from "../sequencer/applier.ts";
import type { BlockOperation } from "../sequencer/chain-writer.ts";
import type { CommittedEntry } from "../sequencer/ports.ts";
import type { SequencerListener } from "../sequencer/sequencer.ts";
import type { SequencerState } from "../sequencer/state.ts";
import { BacklogTeller } from "./backlog-teller.ts";

/** A transfer that is refused or times out is tried again, while there is time. */
const handOverRetryMs = 500;

export class NodeListener implements SequencerListener {
  readonly #narrator: Narrator;
  readonly #metrics: Metrics;
  #role: RoleReport | null = null;
  readonly #backlogTeller: BacklogTeller;
  #onRole: () => void = () => {};

  constructor(narrator: Narrator, metrics: Metrics) {
    this.#narrator = narrator;
    this.#metrics = metrics;
    for (const directory of ["data", "raft"]) {
      metrics.process.diskSlow.set({ directory }, 0);
      metrics.process.diskFoundSlow.inc({ directory }, 0);
    }
    this.#backlogTeller = new BacklogTeller((event) => narrator.nodeEvent(event));
  }

  get isLeader(): boolean {
    return this.#role?.role === "leader";
  }

  role(report: RoleReport): void {
    this.#role = report;
    this.#onRole();
  }

  /** Asks for a transfer until this node leads no more and another leads; false after `timeoutMs`. */
  async handOver(transfer: () => void, timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs;
    while (performance.now() < deadlineMs) {
      if (this.isLeader) transfer();
      const isOver = () => this.#role !== null && !this.isLeader && this.#role.leaderId !== null;
      if (await this.#roleBecomes(isOver, Math.min(handOverRetryMs, timeoutMs))) return true;
    }
    return false;
  }

  #roleBecomes(isSo: () => boolean, timeoutMs: number): Promise<boolean> {
    if (isSo()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (answer: boolean) => {
        clearTimeout(timer);
        this.#onRole = () => {};
        resolve(answer);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#onRole = () => {
        if (isSo()) finish(true);
      };
    });
  }

  txDropped(txId: Uint8Array, reason: string): void {
    this.#narrator.nodeEvent({ kind: "txDropped", txId, reason });
  }

  blockNotTaken(height: number, reason: string): void {
    this.#narrator.nodeEvent({ kind: "blockNotTaken", height, reason });
  }

  waitsForGenesis(untilMs: number): void {
    this.#narrator.nodeEvent({ kind: "waitsForGenesis", untilMs });
  }

  offerRefused(leaderId: string, reason: string): void {
    this.#narrator.nodeEvent({ kind: "offerRefused", leaderId, reason });
  }

  stateChanged(from: SequencerState, to: SequencerState): void {
    const reason = reasons[to.kind];
    this.#narrator.nodeEvent({ kind: "stateChanged", from: from.kind, to: to.kind, reason });
  }

  applied(applied: AppliedBlock & { readonly isOwn: boolean; readonly isLive: boolean }): void {
    const { block, sizeBytes, source, isOwn, isLive } = applied;
    const facts = {
      height: block.height,
      hash: block.hash,
      timeNs: block.header.header.timeNs,
      txCount: block.data.txs.length,
      sizeBytes,
      term: block.raftTerm,
    };
    this.#narrator.nodeEvent(
      isOwn
        ? { kind: "blockProduced", block: facts }
        : { kind: "blockApplied", block: facts, source, isLive },
    );
  }

  refused(entry: CommittedEntry, payload: BlockPayload | null, reason: string): void {
    this.#narrator.nodeEvent({
      kind: "blockRefused",
      height: payload?.height ?? 0,
      hash: payload?.hash ?? new Uint8Array(0),
      raftIndex: entry.index,
      reason,
    });
  }

  readinessChanged(isReady: boolean, reason: string): void {
    this.#narrator.nodeEvent({ kind: "readinessChanged", isReady, reason });
  }

  backlogChanged(backlog: Backlog | null, last: Backlog | null): void {
    this.#backlogTeller.changed(backlog, last);
  }

  timed(operation: BlockOperation, durationMs: number): void {
    this.#metrics.sequencer.operationDuration.observe({ operation }, durationMs / 1000);
  }

  executionFailed(height: number, error: Error): void {
    this.#narrator.nodeEvent({ kind: "executionFailed", height, error });
  }

  executionRecovered(height: number, downMs: number): void {
    this.#narrator.nodeEvent({ kind: "executionRecovered", height, downMs });
  }
}

const reasons: Readonly<Record<SequencerState["kind"], string>> = {
  recovering: "the log is being regained",
  following: "another member leads, or none",
  catchingUp: "elected, with committed blocks still to apply",
  producing: "elected, and all committed blocks are applied",
  draining: "shutting down",
};
