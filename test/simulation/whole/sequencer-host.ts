/**
 * What the driver talks to in a whole node: the sequencer as it is in production, over a simulated block store
 * and execution client. What the two threads of a node say to each other is taken in one by one, in order.
 */

import { sleep } from "../../../src/base/task-group.ts";
import { privateKeyFromSeed } from "../../../src/block/ed25519.ts";
import { BlockSigner, SignatureChecker } from "../../../src/block/sign.ts";
import type { SubmitOutcome, SubmitRequest } from "../../../src/block/submit.ts";
import type { Header, SignedHeader } from "../../../src/block/types.ts";
import { exitCodes } from "../../../src/cli/exit-codes.ts";
import { exitCodeOf } from "../../../src/cli/report-error.ts";
import type { ProposalOutcome, RoleReport } from "../../../src/consensus/driver.ts";
import { ExecutionError } from "../../../src/execution/errors.ts";
import type { BlockToExecute, ExecutionResult } from "../../../src/execution/executor.ts";
import { answerPeer, type PeerAnswerMessage } from "../../../src/node/peer-requests.ts";
import { StateReads } from "../../../src/node/state-reads.ts";
import { payloadBytes } from "../../../src/raft/log.ts";
import type { ReadAnswer } from "../../../src/raft/ready.ts";
import type { Entry, LogIndex, Snapshot, Term } from "../../../src/raft/types.ts";
import type { ReadOutcome } from "../../../src/rpc/api.ts";
import { SequencerError } from "../../../src/sequencer/errors.ts";
import type { ProposalAnswer } from "../../../src/sequencer/ports.ts";
import { Sequencer } from "../../../src/sequencer/sequencer.ts";
import { takeSnapshot } from "../../../src/sequencer/snapshot.ts";
import { genesisHead } from "../../../src/storage/chain-head.ts";
import { StorageError } from "../../../src/storage/errors.ts";
import type { Dice } from "../dice.ts";
import { SimulatedHost } from "../host.ts";
import type { Life } from "../life.ts";
import type { Network } from "../network.ts";
import { Violation } from "../violation.ts";
import type { World } from "../world.ts";
import { SimulatedChainStore } from "./chain-disk.ts";
import { type ExecutionClient, genesisAppHash, SimulatedExecutor } from "./execution-client.ts";
import { PeerBlocks } from "./peer-blocks.ts";
import { SimulatedConsensus } from "./simulated-consensus.ts";
import type { Whole, WholeNode } from "./whole.ts";

export const genesis = {
  chainId: "simulated",
  initialHeight: 1,
  genesisTimeNs: 1_700_000_000_000_000_000n,
};

/** A node that is to stop asks others so often to lead in its place. */
const handOversMax = 10;

const privateKey = privateKeyFromSeed(new Uint8Array(32).fill(7));

export class SequencerHost extends SimulatedHost {
  readonly store: SimulatedChainStore;
  readonly #sequencer: Sequencer;
  readonly #whole: Whole;
  readonly #node: WholeNode;
  readonly #world: World;
  readonly #consensus: SimulatedConsensus;
  readonly #reads: StateReads;
  /** As the main thread knows it. */
  #role: RoleReport | null = null;
  #isTerminating = false;
  #mustEnd = false;
  readonly #unapplied: { readonly index: LogIndex; readonly bytes: number }[] = [];

  constructor(life: Life, network: Network, world: World, whole: Whole) {
    super(life, network, world);
    this.#whole = whole;
    this.#world = world;
    this.#node = whole.nodeOf(life.node);
    this.store = this.#openStore();
    this.#consensus = new SimulatedConsensus(life, world, whole);
    this.#sequencer = this.#createSequencer();
    const applyTimeoutMs = commitTimeoutMs(world);
    this.#reads = new StateReads(
      { nodeId: life.nodeId, applyTimeoutMs },
      { consensus: this.#consensus, sequencer: this.#sequencer, kv: this.#node.client },
    );
  }

  override get judgesReadiness(): boolean {
    return true;
  }

  /** What the main thread would say, which may not have heard yet that it leads no more. */
  override get hasLease(): boolean {
    const role = this.#role;
    if (role?.role !== "leader") return false;
    return this.#whole.within(this.life, () => this.#consensus.holdsLease(role.term));
  }

  override get appliedIndex(): LogIndex {
    return this.#sequencer.appliedIndex;
  }

  override get firstHeight(): number {
    return genesis.initialHeight;
  }

  override started(): void {
    this.#sequencer.start(this.store.keptTxs());
  }

  /** From the blocks that are older than this log, nothing of it is applied. */
  override appliedAtBegin(baseHeight: number): LogIndex {
    const { height, raftIndex } = this.store.head;
    return height > baseHeight ? raftIndex : 0;
  }

  override begun(appliedIndex: LogIndex, baseHeight: number): void {
    this.#consensus.toMain(() => {
      if (appliedIndex === 0) this.store.beginLog();
      this.#sequencer.begin({ appliedIndex, baseHeight });
    });
  }

  override ended(): void {
    this.store.crash(this.life.node.dice.chance(0.5));
    this.#node.saved(this.life.node);
  }

  override role(report: RoleReport): void {
    super.role(report);
    this.#consensus.toMain(() => {
      this.#role = report;
      this.#sequencer.onRole(report);
    });
  }

  override lease(term: Term, untilMs: number): void {
    super.lease(term, untilMs);
    this.#consensus.leaseWritten(term, untilMs);
  }

  override proposal(proposalId: number, outcome: ProposalOutcome): void {
    super.proposal(proposalId, outcome);
    this.#consensus.proposalAnswered(proposalId, outcome);
  }

  override read(answer: ReadAnswer): void {
    super.read(answer);
    this.#consensus.readAnswered(answer);
  }

  override snapshotWanted(): void {
    if (!this.life.reach()) return;
    this.#consensus.toMain(() => {
      takeSnapshot(this.store).then(
        (snapshot) => {
          this.#consensus.toConsensus(() => this.life.driver?.snapshotTaken(snapshot));
        },
        (error: unknown) => this.#failed("snapshot", error),
      );
    });
  }

  /** Whether it was told to stop, and still runs. */
  get isTerminating(): boolean {
    return this.#isTerminating;
  }

  /** Its execution client has refused a block for good, so that it cannot go on. */
  get mustEnd(): boolean {
    return this.#mustEnd;
  }

  /** SIGTERM: it builds no more, has another take over, stops, and its process ends. */
  terminate(): void {
    if (this.#isTerminating) return;
    this.#isTerminating = true;
    this.#world.transcript.note(this.nodeId, () => "is to stop");
    this.#end().then(
      () => this.#consensus.toConsensus(() => this.life.node.crash("process")),
      (error: unknown) => this.#failed("stop", error),
    );
  }

  /** The disk of the blocks takes no more: the process ends as soon as it notices, and not in order. */
  failStore(): void {
    this.store.fail();
  }

  async #end(): Promise<void> {
    const { heartbeatMs } = this.#world.plan.timeouts;
    await this.#sequencer.drain();
    const isLeading = () => this.report?.role === "leader";
    for (let asked = 0; isLeading() && asked < handOversMax; asked++) {
      this.#consensus.transferLeadership(null);
      await sleep(heartbeatMs);
    }
    await this.#sequencer.stop();
    this.#whole.watch.count(isLeading() ? "stopped as leader" : "stopped");
  }

  submit(request: SubmitRequest): Promise<SubmitOutcome> {
    return this.#sequencer.submit(request);
  }

  async readState(key: string, consistency: "linearizable" | "stale"): Promise<ReadOutcome> {
    const { signal } = new AbortController();
    const outcome = await this.#reads.read(new TextEncoder().encode(key), consistency, signal);
    // An embedded executor loses nothing while its node runs. What this client has lost it is given again.
    const isLost = outcome.kind === "value" && outcome.height < this.store.head.height;
    return isLost ? { kind: "unavailable", reason: "the client has lost blocks" } : outcome;
  }

  /** Another process asks, and its question has come to the consensus thread. */
  answerPeer(method: string, body: Uint8Array, answer: (reply: PeerAnswerMessage) => void): void {
    this.#consensus.toMain(() => {
      answerPeer(method, body, {
        takeOffer: (offer) => this.#sequencer.takeOffer(offer),
        confirmLeadership: () => this.#consensus.confirmLeadership(),
        clusterView: () => Promise.reject(new TypeError("nobody asks how the cluster is")),
        txIds: () => Promise.resolve(null),
        settings: () => ({}),
      }).then(
        (reply) => this.#consensus.toConsensus(() => answer(reply)),
        (error: unknown) => this.#failed("answer to a peer", error),
      );
    });
  }

  protected override take(entries: readonly Entry[], commitIndex: LogIndex): void {
    for (const entry of entries) {
      this.#unapplied.push({ index: entry.index, bytes: payloadBytes(entry) });
    }
    const lastIndex = entries.at(-1)?.index;
    const bytes = entries.reduce((sum, entry) => sum + payloadBytes(entry), 0);
    this.#consensus.toMain(() => {
      if (lastIndex !== undefined) this.#consensus.delivered(lastIndex, bytes);
      this.#sequencer.onCommitted(entries, commitIndex);
    });
  }

  protected override takeSnapshot({ last, data }: Snapshot): void {
    this.#consensus.toMain(() => {
      this.#consensus.delivered(last.index, data.length);
      this.#sequencer.onSnapshot({ ...last, data });
    });
  }

  #applied(index: LogIndex): void {
    for (let first = this.#unapplied[0]; first !== undefined; first = this.#unapplied[0]) {
      if (first.index > index) break;
      this.release(first.bytes);
      this.#unapplied.shift();
    }
    this.#consensus.applied(index);
  }

  #propose(term: Term, data: Uint8Array): Promise<ProposalAnswer> {
    if (this.#isTerminating) {
      this.#whole.guard(() => {
        const what = `${this.nodeId} proposes a block after it was told to stop`;
        throw new Violation("a node that stops builds nothing", what);
      });
    }
    return this.#consensus.propose(term, data);
  }

  #openStore(): SimulatedChainStore {
    const { life } = this;
    const head = genesisHead({ ...genesis, appHash: genesisAppHash });
    return new SimulatedChainStore(this.#node.disk, head, {
      isRunning: () => life.isRunning,
      written: (done) => {
        const { low, high } = this.#world.conditions.host.flushMs;
        const stallMs = Math.max(0, this.#node.storeStallsUntilMs - this.#world.schedule.nowMs);
        this.#world.schedule.after(stallMs + life.node.dice.between(low, high), () => {
          life.run("io", () => {
            // A full disk is full for both.
            if (life.node.isDiskFull) return this.store.fail();
            done();
            this.#node.saved(life.node);
          });
        });
      },
    });
  }

  #createSequencer(): Sequencer {
    const { life, store } = this;
    const { node } = life;
    const consensus = this.#consensus;
    const { heartbeatMs } = this.#world.plan.timeouts;
    const watch = this.#whole.watch;
    const guarded = (run: () => void) => {
      if (life.isRunning) this.#whole.guard(run);
    };
    return new Sequencer(
      {
        nodeId: node.id,
        genesis,
        head: store.head,
        production: {
          blockTimeMs: this.#whole.blockTimeMs,
          lazyBlockIntervalMs: this.#whole.lazyBlockIntervalMs,
          signsBeforeCommit: this.#whole.signsBeforeCommit,
        },
        submission: {
          txMaxBytes: 1000,
          waitForLeaderTimeoutMs: 10 * heartbeatMs,
          commitTimeoutMs: commitTimeoutMs(this.#world),
        },
        forwarding: { retryDelayMs: heartbeatMs / 10, answerTimeoutMs: heartbeatMs },
        pool: { maxTxs: 100, maxBytes: 100_000, maxOffers: 3 },
        acceptsBlocksWithoutTxIds: false,
        txReviewEveryMs: heartbeatMs,
        unreadyAfterMs: 2 * heartbeatMs,
        catchUpTimeoutMs: 5 * heartbeatMs,
        priority: 0,
      },
      {
        consensus: {
          propose: (term, data) => this.#propose(term, data),
          applied: (index) => this.#applied(index),
          holdsLease: (term) => consensus.holdsLease(term),
          transferLeadership: (targetId) => consensus.transferLeadership(targetId),
          setReadiness: (readiness) => consensus.setReadiness(readiness),
          askPeer: (peerId, method, body, timeoutMs) =>
            consensus.askPeer(peerId, method, body, timeoutMs),
        },
        store,
        source: new PeerBlocks(this.#whole, node, this.#world),
        executor: new WatchedExecutor(
          this.#node.client,
          { world: this.#world, dice: node.dice },
          {
            onRun: (block) => guarded(() => watch.executing(node, block)),
            onRejected: () => {
              this.#mustEnd = true;
            },
          },
        ),
        signer: new WatchedSigner((header) => {
          if (this.#whole.signsBeforeCommit) return;
          guarded(() => watch.signing(node, this.#node.disk, header));
        }),
        signatures: new SignatureChecker(),
        listener: {
          stateChanged: (from, to) => {
            this.#world.transcript.note(node.id, () => `${from.kind} -> ${to.kind}`);
            watch.count(`state ${to.kind}`);
          },
          applied: ({ block, source }) => {
            this.#world.transcript.note(node.id, () => `block ${block.height} from ${source}`);
            watch.count(`block from ${source}`);
            guarded(() => {
              watch.applied(node, block);
              this.#whole.copies.applied(block);
            });
          },
          refused: (entry, _payload, reason) => {
            watch.count(`refused, ${reason.replaceAll(/(0x)?[0-9a-f]*\d[0-9a-f]*/g, "#")}`);
            this.#world.transcript.note(node.id, () => `refuses entry ${entry.index}: ${reason}`);
          },
          timed: () => {},
          readinessChanged: (_isReady, reason) => {
            this.#world.transcript.note(node.id, () => `readiness: ${reason}`);
          },
          offerRefused: () => {},
          executionFailed: () => watch.count("execution failed"),
          executionRecovered: () => {},
          blockNotTaken: () => {},
          waitsForGenesis: () => {},
          txDropped: () => {},
          backlogChanged: (backlog, last) => {
            if (backlog !== null && last === null) watch.count(backlog.kind);
          },
        },
        slowDataDisk: () => null,
        onFailure: (task, error) => this.#failed(task, error),
      },
    );
  }

  #failed(task: string, error: unknown): void {
    if (!this.life.isRunning) return;
    if (this.store.hasFailed && error instanceof StorageError) {
      this.#whole.watch.count("ended by its disk");
      return this.#consensus.toConsensus(() => this.life.node.crash("process"));
    }
    const isDivergence = error instanceof ExecutionError || error instanceof SequencerError;
    if (this.#node.client.isBroken && isDivergence && exitCodeOf(error) === exitCodes.broken) {
      const { code } = error;
      this.#whole.watch.count(`ended with ${exitCodes.broken}, ${code}`);
      this.#world.transcript.note(this.nodeId, () => `ends with ${exitCodes.broken}: ${code}`);
      return this.#consensus.toConsensus(() => this.life.node.crash("process"));
    }
    this.#whole.guard(() => {
      if (error instanceof Violation) throw error;
      this.#whole.watch.failed(this.life.node, task, error);
    });
  }
}

/** Within which a transaction is in a block, and what is committed applied, or its client is told. */
function commitTimeoutMs({ plan }: World): number {
  return 20 * plan.timeouts.heartbeatMs;
}

class WatchedSigner extends BlockSigner {
  readonly #onSign: (header: Header) => void;

  constructor(onSign: (header: Header) => void) {
    super(privateKey);
    this.#onSign = onSign;
  }

  override sign(header: Header): SignedHeader {
    this.#onSign(header);
    return super.sign(header);
  }
}

interface ExecutionWatcher {
  readonly onRun: (block: BlockToExecute) => void;
  /** The client holds it for invalid, although it is committed. */
  readonly onRejected: () => void;
}

class WatchedExecutor extends SimulatedExecutor {
  readonly #watcher: ExecutionWatcher;

  constructor(
    client: ExecutionClient,
    conditions: { readonly world: World; readonly dice: Dice },
    watcher: ExecutionWatcher,
  ) {
    super(client, conditions);
    this.#watcher = watcher;
  }

  override async executeTxs(block: BlockToExecute): Promise<ExecutionResult> {
    this.#watcher.onRun(block);
    try {
      return await super.executeTxs(block);
    } catch (error) {
      const isRejected = error instanceof ExecutionError && error.code === "EXECUTION_REJECTED";
      if (isRejected) this.#watcher.onRejected();
      throw error;
    }
  }
}
