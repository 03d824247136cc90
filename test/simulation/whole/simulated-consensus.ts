/**
 * The main thread's end of the consensus thread, as `src/consensus/consensus.ts` is it in production: what each says
 * to the other goes over a lane of its own, and the lease is in the memory that they share.
 */

import { ApplyCredit } from "../../../src/consensus/apply-credit.ts";
import type { ProposalOutcome } from "../../../src/consensus/driver.ts";
import { SharedLease } from "../../../src/consensus/shared-lease.ts";
import { waitingStatus } from "../../../src/consensus/startup.ts";
import type { ReadAnswer } from "../../../src/raft/ready.ts";
import type { RaftStatus } from "../../../src/raft/status.ts";
import type { LogIndex, Readiness, ServerId, Term } from "../../../src/raft/types.ts";
import type { ConsensusPort, PeerReply, ProposalAnswer } from "../../../src/sequencer/ports.ts";
import type { Life } from "../life.ts";
import type { World } from "../world.ts";
import { ThreadLane } from "./thread-lane.ts";
import type { Whole } from "./whole.ts";

export class SimulatedConsensus implements ConsensusPort {
  readonly #life: Life;
  readonly #world: World;
  readonly #whole: Whole;
  readonly #toMain: ThreadLane;
  readonly #toConsensus: ThreadLane;
  readonly #lease = new SharedLease();
  readonly #credit: ApplyCredit;
  readonly #proposals = new Map<number, (answer: ProposalAnswer) => void>();
  readonly #confirmations = new Map<number, (readIndex: LogIndex | null) => void>();

  constructor(life: Life, world: World, whole: Whole) {
    this.#life = life;
    this.#world = world;
    this.#whole = whole;
    this.#credit = new ApplyCredit(world.plan.snapshotEvery);
    const stallMs = () => whole.threadStallMs(life.node);
    this.#toMain = new ThreadLane(life.clock, stallMs);
    this.#toConsensus = new ThreadLane(life.clock, stallMs);
  }

  /** Lets the main thread take something in. */
  toMain(take: () => void): void {
    this.#toMain.post(take);
  }

  /** Lets the consensus thread take something in. */
  toConsensus(take: () => void): void {
    this.#toConsensus.post(take);
  }

  propose(term: Term, data: Uint8Array): Promise<ProposalAnswer> {
    const proposalId = this.#world.payloads.adopt(data);
    return new Promise((resolve) => {
      this.toConsensus(() => {
        const { driver, node } = this.#life;
        if (driver === null) return this.toMain(() => resolve({ kind: "notLeader" }));
        this.#proposals.set(proposalId, resolve);
        this.#world.checkers.proposed(node, proposalId, term);
        driver.propose(term, { proposalId, data, appendedAt: null });
      });
    });
  }

  proposalAnswered(proposalId: number, outcome: ProposalOutcome): void {
    const resolve = this.#proposals.get(proposalId);
    this.#proposals.delete(proposalId);
    this.toMain(() => resolve?.(outcome));
  }

  /** The main thread has got entries or a snapshot up to there. */
  delivered(lastIndex: LogIndex, bytes: number): void {
    this.#credit.delivered(lastIndex, bytes);
  }

  applied(index: LogIndex): void {
    if (this.#credit.applied(index)) this.toConsensus(() => this.#life.driver?.applied(index));
  }

  setReadiness(readiness: Readiness): void {
    this.#life.node.readiness = readiness;
    this.toConsensus(() => {
      this.#life.readiness = readiness;
      this.#life.driver?.setReadiness(readiness);
    });
  }

  transferLeadership(targetId: ServerId | null): void {
    this.toConsensus(() => this.#life.driver?.transferLeadership(targetId));
  }

  leaseWritten(term: Term, untilMs: number): void {
    this.#lease.write(term, untilMs);
  }

  holdsLease(term: Term): boolean {
    return this.#lease.isHeld(term);
  }

  confirmLeadership(): Promise<LogIndex | null> {
    const readId = this.#whole.nextReadId();
    return new Promise((resolve) => {
      this.toConsensus(() => {
        const { driver, node } = this.#life;
        if (driver === null) return this.toMain(() => resolve(null));
        this.#confirmations.set(readId, resolve);
        this.#world.checkers.readBegan(node, readId);
        driver.confirmLeadership(readId);
      });
    });
  }

  readAnswered(answer: ReadAnswer): void {
    const resolve = this.#confirmations.get(answer.readId);
    this.#confirmations.delete(answer.readId);
    const readIndex = answer.kind === "confirmed" ? answer.readIndex : null;
    if (resolve !== undefined) this.toMain(() => resolve(readIndex));
  }

  view(): Promise<{ readonly status: RaftStatus }> {
    return new Promise((resolve) => {
      this.toConsensus(() => {
        const status = this.#life.driver?.status ?? waitingStatus(this.#life.nodeId);
        this.toMain(() => resolve({ status }));
      });
    });
  }

  askPeer(
    peerId: ServerId,
    method: string,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<PeerReply> {
    return new Promise((resolve) => {
      this.toConsensus(() => {
        const request = { peerId, method, body, timeoutMs };
        this.#whole.ask(this.#life, request, (reply) => this.toMain(() => resolve(reply)));
      });
    });
  }
}
