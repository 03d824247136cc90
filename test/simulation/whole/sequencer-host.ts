/**
 * What the driver talks to in a whole node: the sequencer as it is in production, over a simulated block store
 * and execution client. What the two threads of a node say to each other is taken in one by one, in order.
 */

import { sleep } from "../../../src/base/task-group.ts";
import { privateKeyFromSeed } from "../../../src/block/ed25519.ts";
import { BlockSigner, SignatureChecker } from "../../../src/block/sign.ts";
import type { SubmitOutcome, SubmitRequest } from "../../../src/block/submit.ts";
import type { Header, SignedHeader } from "../../../src/block/types.ts";
import type { ProposalOutcome, RoleReport } from "../../../src/consensus/driver.ts";
import type { BlockToExecute, ExecutionResult } from "../../../src/execution/executor.ts";
import { payloadBytes } from "../../../src/raft/log.ts";
import type { Entry, LogIndex, Readiness, Snapshot } from "../../../src/raft/types.ts";
import type { PeerReply, ProposalAnswer } from "../../../src/sequencer/ports.ts";
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
  readonly #proposals = new Map<number, (answer: ProposalAnswer) => void>();
  #isTerminating = false;
  readonly #unapplied: { readonly index: LogIndex; readonly bytes: number }[] = [];

  constructor(life: Life, network: Network, world: World, whole: Whole) {
    super(life, network, world);
    this.#whole = whole;
    this.#world = world;
    this.#node = whole.nodeOf(life.node);
    this.store = this.#openStore();
    this.#sequencer = this.#createSequencer();
  }

  override get judgesReadiness(): boolean {
    return true;
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
    if (appliedIndex === 0) this.store.beginLog();
    this.#post(() => this.#sequencer.begin({ appliedIndex, baseHeight }));
  }

  override ended(): void {
    this.store.crash(this.life.node.dice.chance(0.5));
    this.#node.saved(this.life.node);
  }

  override role(report: RoleReport): void {
    super.role(report);
    this.#post(() => this.#sequencer.onRole(report));
  }

  override proposal(proposalId: number, outcome: ProposalOutcome): void {
    super.proposal(proposalId, outcome);
    const resolve = this.#proposals.get(proposalId);
    this.#proposals.delete(proposalId);
    this.#post(() => resolve?.(outcome));
  }

  override snapshotWanted(): void {
    if (!this.life.reach()) return;
    this.#post(() => {
      takeSnapshot(this.store).then(
        (snapshot) => this.#post(() => this.life.driver?.snapshotTaken(snapshot)),
        (error: unknown) => this.#failed("snapshot", error),
      );
    });
  }

  /** Whether it was told to stop, and still runs. */
  get isTerminating(): boolean {
    return this.#isTerminating;
  }

  /** SIGTERM: it builds no more, has another take over, stops, and its process ends. */
  terminate(): void {
    if (this.#isTerminating) return;
    this.#isTerminating = true;
    this.#world.transcript.note(this.nodeId, () => "is to stop");
    this.#end().then(
      () => this.#post(() => this.life.node.crash("process")),
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
      this.#post(() => this.life.driver?.transferLeadership(null));
      await sleep(heartbeatMs);
    }
    await this.#sequencer.stop();
    this.#whole.watch.count(isLeading() ? "stopped as leader" : "stopped");
  }

  submit(request: SubmitRequest): Promise<SubmitOutcome> {
    return this.#sequencer.submit(request);
  }

  takeOffer(body: Uint8Array): number {
    return this.#sequencer.takeOffer(body);
  }

  protected override take(entries: readonly Entry[], commitIndex: LogIndex): void {
    for (const entry of entries) {
      this.#unapplied.push({ index: entry.index, bytes: payloadBytes(entry) });
    }
    this.#post(() => this.#sequencer.onCommitted(entries, commitIndex));
  }

  protected override takeSnapshot({ last, data }: Snapshot): void {
    this.#post(() => this.#sequencer.onSnapshot({ ...last, data }));
  }

  #applied(index: LogIndex): void {
    for (let first = this.#unapplied[0]; first !== undefined; first = this.#unapplied[0]) {
      if (first.index > index) break;
      this.release(first.bytes);
      this.#unapplied.shift();
    }
    this.life.driver?.applied(index);
  }

  #propose(term: number, data: Uint8Array): Promise<ProposalAnswer> {
    if (this.#isTerminating) {
      this.#whole.guard(() => {
        const what = `${this.nodeId} proposes a block after it was told to stop`;
        throw new Violation("a node that stops builds nothing", what);
      });
    }
    const proposalId = this.#world.payloads.adopt(data);
    return new Promise((resolve) => {
      this.#post(() => {
        const { driver, node } = this.life;
        if (driver === null) return resolve({ kind: "notLeader" });
        this.#proposals.set(proposalId, resolve);
        this.#world.checkers.proposed(node, proposalId, term);
        driver.propose(term, { proposalId, data, appendedAt: null });
      });
    });
  }

  #setReadiness(readiness: Readiness): void {
    this.life.node.readiness = readiness;
    this.#post(() => {
      this.life.readiness = readiness;
      this.life.driver?.setReadiness(readiness);
    });
  }

  /** A message between the threads of this process. */
  #post(run: () => void): void {
    this.life.clock.soon(run);
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
          commitTimeoutMs: 20 * heartbeatMs,
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
          applied: (index) => this.#post(() => this.#applied(index)),
          holdsLease: (term) => this.leaseTerm === term && life.clock.now() < this.leaseUntilMs,
          transferLeadership: (targetId) =>
            this.#post(() => life.driver?.transferLeadership(targetId)),
          setReadiness: (readiness) => this.#setReadiness(readiness),
          askPeer: (peerId, _method, body, timeoutMs) => this.#askPeer(peerId, body, timeoutMs),
        },
        store,
        source: new PeerBlocks(this.#whole, node, this.#world),
        executor: new WatchedExecutor(
          this.#node.client,
          { world: this.#world, dice: node.dice },
          (block) => guarded(() => watch.executing(node, block)),
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

  #askPeer(peerId: string, body: Uint8Array, timeoutMs: number): Promise<PeerReply> {
    return this.#whole.ask(this.life, peerId, body, timeoutMs);
  }

  #failed(task: string, error: unknown): void {
    if (!this.life.isRunning) return;
    if (this.store.hasFailed && error instanceof StorageError) {
      this.#whole.watch.count("ended by its disk");
      return this.#post(() => this.life.node.crash("process"));
    }
    this.#whole.guard(() => {
      if (error instanceof Violation) throw error;
      this.#whole.watch.failed(this.life.node, task, error);
    });
  }
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

class WatchedExecutor extends SimulatedExecutor {
  readonly #onRun: (block: BlockToExecute) => void;

  constructor(
    client: ExecutionClient,
    conditions: { readonly world: World; readonly dice: Dice },
    onRun: (block: BlockToExecute) => void,
  ) {
    super(client, conditions);
    this.#onRun = onRun;
  }

  override executeTxs(block: BlockToExecute): Promise<ExecutionResult> {
    this.#onRun(block);
    return super.executeTxs(block);
  }
}
