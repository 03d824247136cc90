/** Whole nodes: what outlives their processes besides the Raft log, how they reach one another, and their clients. */

import { unreachable } from "../../../src/base/assert.ts";
import { majorityOf } from "../../../src/raft/quorum.ts";
import type { PeerReply } from "../../../src/sequencer/ports.ts";
import { nothingApplied } from "../applied-state.ts";
import type { Checker } from "../checkers/checker.ts";
import { Snapshots } from "../checkers/snapshots.ts";
import type { Cluster } from "../cluster.ts";
import { Dice } from "../dice.ts";
import type { Life } from "../life.ts";
import type { SimulatedNode } from "../node.ts";
import { type Parts, soundParts } from "../parts.ts";
import type { Plan } from "../plan.ts";
import { violationOf } from "../violation.ts";
import type { World } from "../world.ts";
import { BlockCopies } from "./block-copies.ts";
import { ChainDisk, type SimulatedChainStore } from "./chain-disk.ts";
import { ChainWatch } from "./chain-watch.ts";
import { ExecutionClient } from "./execution-client.ts";
import { PeerCalls, type PeerRequest } from "./peer-calls.ts";
import { RegisterHistories } from "./register-histories.ts";
import { genesis, SequencerHost } from "./sequencer-host.ts";
import { StateClients } from "./state-clients.ts";
import { TxClients } from "./tx-clients.ts";
import type { ProcessTime, VirtualTime } from "./virtual-time.ts";

const wallErrorMaxMs = 50_000;

export class WholeNode {
  readonly disk = new ChainDisk();
  readonly client = new ExecutionClient();
  /** Of how busy its threads are. */
  readonly threadDice: Dice;
  /** Until then nothing that is given to the disk of the blocks gets there. */
  storeStallsUntilMs = 0;
  /** How wrong its wall clock is. */
  wallErrorMs = 0;

  constructor(dice: Dice) {
    this.threadDice = dice.fork("threads");
  }

  /** Up to where the log is in blocks that are on disk. */
  saved(node: SimulatedNode): void {
    const last = this.disk.blocks.at(-1);
    if (last === undefined || last.raftIndex <= node.saved.index) return;
    node.saved = { ...nothingApplied, index: last.raftIndex, term: last.raftTerm };
  }
}

export class Whole implements Checker {
  readonly watch = new ChainWatch();
  readonly histories = new RegisterHistories();
  readonly copies = new BlockCopies((node) => this.nodeOf(node).disk);
  readonly blockTimeMs: number;
  /** In lazy mode, the time after which an empty block is due; else null. */
  readonly lazyBlockIntervalMs: number | null;
  /** As beside ev-node's members: a block that is not committed may bear a signature, so P4 does not hold. */
  readonly signsBeforeCommit: boolean;
  /** Of the messages between the threads of a process, the share that finds the other one busy, and for how long at most. */
  readonly #threadStalls: { readonly rate: number; readonly maxMs: number };
  readonly #time: VirtualTime;
  readonly #nodes = new Map<SimulatedNode, WholeNode>();
  readonly #times = new WeakMap<Life, ProcessTime>();
  #lastReadId = 0;
  #cluster: Cluster | null = null;
  #calls: PeerCalls | null = null;
  #world: World | null = null;

  constructor(plan: Plan, time: VirtualTime) {
    this.#time = time;
    const dice = new Dice(plan.seed).fork("whole");
    const { heartbeatMs } = plan.timeouts;
    this.blockTimeMs = heartbeatMs * dice.pick([0.2, 0.5, 1, 3]);
    const isLazy = dice.chance(0.3);
    this.lazyBlockIntervalMs = isLazy ? this.blockTimeMs + heartbeatMs * dice.pick([1, 4]) : null;
    if (isLazy) this.watch.count("lazy mode");
    this.signsBeforeCommit = dice.chance(0.15);
    if (this.signsBeforeCommit) this.watch.count("signing before commit");
    this.#threadStalls = {
      rate: dice.chance(0.4) ? 0 : dice.magnitude(0.001, 0.05),
      maxMs: heartbeatMs * dice.magnitude(0.05, 4),
    };
  }

  /** What a simulation of whole nodes is put together from. */
  get parts(): Parts {
    return {
      ...soundParts,
      host: (life, network, world) => {
        const time = this.#timeOf(life, world);
        return this.#time.within(time, () => new SequencerHost(life, network, world, this));
      },
      ailment: {
        begin: (node) => {
          const { client } = this.nodeOf(node);
          client.goneUntilMs = Number.POSITIVE_INFINITY;
        },
        end: (node) => {
          this.nodeOf(node).client.goneUntilMs = 0;
        },
      },
      lacksState: (node) => this.copies.lacksBlocks(node),
      within: (life, world, event) => this.#time.within(this.#timeOf(life, world), event),
      checkers: ({ cluster, world, ledger }) => {
        this.#cluster = cluster;
        this.copies.begin(cluster.nodes);
        this.#world = world;
        const calls = new PeerCalls(cluster, world, this.watch);
        this.#calls = calls;
        new TxClients(this, cluster, world).begin();
        new StateClients(this, cluster, world).begin();
        this.#trouble(cluster, world);
        return [
          new Snapshots(ledger, { holdHashes: false }),
          this,
          calls,
          this.watch,
          this.copies,
          this.histories,
        ];
      },
    };
  }

  /** Below 0: those of clients that ask drivers themselves are above. */
  nextReadId(): number {
    return --this.#lastReadId;
  }

  /** For how long a thread of the node does not get to a message that comes now. */
  threadStallMs(node: SimulatedNode): number {
    const { rate, maxMs } = this.#threadStalls;
    const { conditions, plan } = this.#world ?? raise();
    const { threadDice } = this.nodeOf(node);
    if (conditions !== plan.chaos || !threadDice.chance(rate)) return 0;
    this.watch.count("thread busy");
    return threadDice.between(0, maxMs);
  }

  /** Runs something as code of that process. */
  within<T>(life: Life, run: () => T): T {
    return this.#time.within(this.#timeOf(life, this.#world ?? raise()), run);
  }

  nodeOf(node: SimulatedNode): WholeNode {
    const known = this.#nodes.get(node) ?? new WholeNode(node.dice);
    this.#nodes.set(node, known);
    return known;
  }

  wiped(node: SimulatedNode, losesState: boolean): void {
    if (losesState) this.#forget(node);
  }

  /** What was told to stop is gone, or back: a stop comes to an end. And no log grows for ever. */
  owedBy(node: SimulatedNode): string | null {
    const host = node.life?.host;
    const isTerminating = host instanceof SequencerHost && host.isTerminating;
    if (isTerminating) return `${node.id} has stopped, as it was told to`;
    if (host instanceof SequencerHost && host.mustEnd) {
      return `${node.id} has ended, whose execution client holds a committed block for invalid`;
    }
    const { snapshotEvery } = (this.#world ?? raise()).plan;
    const sinceSnapshot = (host?.appliedIndex ?? 0) - (node.status?.snapshotIndex ?? 0);
    // Its consensus thread hears a little late of what is applied.
    if (sinceSnapshot <= 2 * snapshotEvery + 1) return null;
    return `${node.id} has a snapshot of most of the ${sinceSnapshot} entries since its last one`;
  }

  #timeOf(life: Life, { schedule }: World): ProcessTime {
    const { clock, node } = life;
    const known = this.#times.get(life);
    if (known !== undefined) return known;
    // No clock is so wrong that it lies before the genesis, for whose time a first block would wait.
    const startMs = Number(genesis.genesisTimeNs / 1_000_000n) + wallErrorMaxMs;
    const time: ProcessTime = {
      monotonicMs: () => clock.now(),
      unixMs: () => startMs + schedule.nowMs * node.clockRate + this.nodeOf(node).wallErrorMs,
      after: (delayMs, callback) => clock.at(clock.now() + delayMs, callback),
    };
    this.#times.set(life, time);
    return time;
  }

  /** Runs a check outside of the driver, in whose promises a violation would get lost. */
  guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (this.#world !== null) this.#world.violation ??= violationOf(error);
    }
  }

  othersThan(node: SimulatedNode): readonly SimulatedNode[] {
    return this.#cluster?.nodes.filter((other) => other !== node) ?? [];
  }

  /** Of the process that runs there; null if none does. */
  storeOf({ isAwake, life }: SimulatedNode): SimulatedChainStore | null {
    const host = isAwake ? life?.host : null;
    return host instanceof SequencerHost ? host.store : null;
  }

  /** Whether something that goes one way just now gets there. */
  passes(from: SimulatedNode, to: SimulatedNode): boolean {
    const { lossRate } = (this.#world ?? raise()).conditions.network;
    const isHeld = this.#cluster?.network.links.isCut(from.id, to.id) === true;
    return !isHeld && !(lossRate > 0 && from.dice.chance(lossRate));
  }

  /** A request of one process to the main thread of another. */
  ask(life: Life, request: PeerRequest, settle: (reply: PeerReply) => void): void {
    (this.#calls ?? raise()).ask(life, request, settle);
  }

  /** Of execution clients, wall clocks and operators, while there is trouble at all. */
  #trouble(cluster: Cluster, world: World): void {
    const { schedule, plan } = world;
    const { heartbeatMs } = plan.timeouts;
    const dice = world.dice.fork("whole troubles");
    for (const kind of troubles) {
      const isOff = dice.chance(0.4);
      const meanMs = heartbeatMs * dice.magnitude(2, 30);
      const next = (count: number) => {
        schedule.after(dice.wait(meanMs), () => {
          const node = dice.pick(cluster.nodes);
          const size = dice.random();
          if (world.conditions === plan.chaos && world.tape.admits(`${kind}-${count}`)) {
            this.#strike(kind, node, { size, cluster, world });
          }
          next(count + 1);
        });
      };
      if (!isOff) next(1);
    }
  }

  #stop(node: SimulatedNode): void {
    const host = node.life?.host;
    if (host instanceof SequencerHost) host.run(() => host.terminate());
  }

  /** As an operator does it: the next one is stopped when the last one is back, and ready. */
  #restartInTurn([next, ...others]: readonly SimulatedNode[], world: World): void {
    if (next === undefined) return this.watch.count("restarted all in turn");
    const { schedule, plan } = world;
    const { life } = next;
    this.#stop(next);
    const look = (): void => {
      if (world.conditions !== plan.chaos) return;
      const isBack = next.isAwake && next.life !== life && next.readiness.isReady;
      if (isBack) this.#restartInTurn(others, world);
      else schedule.after(plan.timeouts.heartbeatMs, look);
    };
    look();
  }

  /** The disk of the blocks is replaced by an empty one, of a minority at a time; the log is on another, and stays. */
  #loseBlocks(node: SimulatedNode, { nodes }: Cluster): void {
    const lacking = nodes.filter((other) => other !== node && other.mayLackMemory).length;
    if (lacking + 1 > nodes.length - majorityOf(nodes.length)) return;
    node.crash("process");
    this.watch.count("blocks lost");
    this.#forget(node);
    this.copies.lost(node);
  }

  #forget(node: SimulatedNode): void {
    const { client, disk } = this.nodeOf(node);
    disk.wipe();
    // Otherwise it would be the only one to judge the blocks that come anew.
    client.replace();
    node.saved = nothingApplied;
    this.watch.forgotten(node);
  }

  #strike(
    kind: TroubleOfWholes,
    node: SimulatedNode,
    { size, cluster, world }: { size: number; cluster: Cluster; world: World },
  ): void {
    const { schedule, plan, transcript } = world;
    const whole = this.nodeOf(node);
    transcript.note(node.id, () => `${kind}, ${size.toFixed(2)}`);
    this.watch.count(kind);
    const untilMs = schedule.nowMs + size * 8 * plan.timeouts.heartbeatMs;
    switch (kind) {
      case "client-gone":
        whole.client.goneUntilMs = untilMs;
        return;
      case "client-hung":
        whole.client.hungUntilMs = untilMs;
        return;
      case "client-killed":
        return whole.client.lose(Math.floor(size * 5));
      case "client-rejects":
        whole.client.reject();
        schedule.after(untilMs - schedule.nowMs, () => whole.client.replace());
        return;
      case "client-wrong":
        if (whole.disk.blocks.length === 0) return;
        whole.client.goWrong(Math.floor(size * 5), whole.disk.blocks.length);
        schedule.after(untilMs - schedule.nowMs, () => whole.client.replace());
        return;
      case "clock-jump":
        whole.wallErrorMs = (2 * size - 1) * wallErrorMaxMs;
        return;
      case "stop":
        return this.#stop(node);
      case "store-stalls":
        whole.storeStallsUntilMs = untilMs;
        return;
      case "store-fails": {
        const host = node.life?.host;
        if (host instanceof SequencerHost) host.run(() => host.failStore());
        return;
      }
      case "blocks-lost":
        return this.#loseBlocks(node, cluster);
      case "rolling-restart":
        return this.#restartInTurn(cluster.nodes, world);
      default:
        return unreachable(kind);
    }
  }
}

const troubles = [
  "client-gone",
  "client-hung",
  "client-killed",
  "clock-jump",
  "stop",
  "store-stalls",
  "store-fails",
  "rolling-restart",
  "blocks-lost",
  "client-rejects",
  "client-wrong",
] as const;

type TroubleOfWholes = (typeof troubles)[number];

function raise(): never {
  throw new TypeError("the world has begun");
}
