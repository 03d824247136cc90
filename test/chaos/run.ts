/** One run: a cluster behind a network that can be broken, a load, the cycles, and the audit of all of it. */

import { join } from "node:path";
import { sleep } from "../../src/base/task-group.ts";
import { Audit } from "../../src/devnet/audit.ts";
import { ProcessGuard } from "../../src/devnet/guard.ts";
import { Load } from "../../src/devnet/load.ts";
import { LoadKeys } from "../../src/devnet/load-keys.ts";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { ClusterWatch, isWhole } from "../../src/devnet/watch.ts";
import { Dice } from "../simulation/dice.ts";
import { type CycleResult, runCycle, violationsOf } from "./cycles.ts";
import { Disk } from "./disk.ts";
import { diskFaultNames, type FaultName } from "./faults.ts";
import { LogReader } from "./log-reader.ts";
import { Network } from "./network.ts";
import { RegisterClients } from "./registers.ts";
import { type ChaosReport, describeCycle } from "./report.ts";

export interface ChaosOptions {
  readonly cycles: number;
  readonly faults: readonly FaultName[];
  readonly nodes: number;
  readonly rttMs: number;
  /** Between the last node and all others. */
  readonly farRttMs: number;
  readonly blockTimeMs: number;
  readonly txPerSecond: number;
  readonly seed: number;
}

export interface ChaosSurroundings {
  readonly directory: string;
  /** Once it is aborted no further cycle begins; what was done until then is audited and reported. */
  readonly enough: AbortSignal;
  readonly onNote: (text: string) => void;
}

const auditIntervalMs = 500;
const leadersIntervalMs = 100;
const settleLimitMs = 120_000;
const stopLimitMs = 25_000;
/** Before the first fault all processes have started, on a machine that does other things, too. */
const bootLimitMs = 120_000;

export async function runChaos(options: ChaosOptions & ChaosSurroundings): Promise<ChaosReport> {
  const guard = await ProcessGuard.start();
  const ids = Array.from({ length: options.nodes }, (_, nth) => `node-${nth + 1}`);
  const dice = new Dice(options.seed);
  const { rttMs, farRttMs, seed } = options;
  const network = new Network({ ids, rttMs, farRttMs, seed });
  const disks = new Map<LocalNode, Disk>();
  try {
    const cluster = await LocalCluster.create({
      directory: options.directory,
      nodeCount: options.nodes,
      settings: settingsOf(options),
      peerAddressOf: (from, to) => network.addressOf(from, to),
      guard,
    });
    if (diskFaultNames.some((name) => options.faults.includes(name))) {
      for (const node of cluster.nodes) {
        const disk = new Disk(join(options.directory, `disk-of-${node.id}`));
        disks.set(node, disk);
        disk.carry(node.place.home);
      }
    }
    return await new Chaos(options, { cluster, network, disks, dice }).run();
  } finally {
    await guard.close();
    await network.end();
    for (const disk of disks.values()) disk.unmount();
  }
}

/** Most faults are over before the defaults are: no client would ever hear that its transaction was not kept. */
const shortWaits = {
  "cluster.wait_for_leader_timeout": "500ms",
  "cluster.tx_commit_timeout": "1s",
};

function settingsOf({ blockTimeMs, rttMs, farRttMs }: ChaosOptions): Record<string, string> {
  const longestMs = Math.max(rttMs, farRttMs);
  const settings = { "node.block_time": `${blockTimeMs}ms`, ...shortWaits };
  return longestMs === 0 ? settings : { ...settings, "raft.rtt_max": `${longestMs}ms` };
}

class Chaos {
  readonly #options: ChaosOptions & ChaosSurroundings;
  readonly #cluster: LocalCluster;
  readonly #network: Network;
  readonly #disks: ReadonlyMap<LocalNode, Disk>;
  readonly #dice: Dice;
  readonly #watch: ClusterWatch;
  readonly #logs: LogReader;
  readonly #audit: Audit;
  readonly #load: Load;
  readonly #registers: RegisterClients;
  /** By term, who was seen leading in it. */
  readonly #leaders = new Map<number, string>();
  readonly #violations: string[] = [];
  readonly #over = new AbortController();

  constructor(
    options: ChaosOptions & ChaosSurroundings,
    {
      cluster,
      network,
      disks,
      dice,
    }: {
      readonly cluster: LocalCluster;
      readonly network: Network;
      readonly disks: ReadonlyMap<LocalNode, Disk>;
      readonly dice: Dice;
    },
  ) {
    const { nodes } = cluster;
    const keys = new LoadKeys();
    const ids = nodes.map(({ id }) => id);
    this.#options = options;
    this.#cluster = cluster;
    this.#network = network;
    this.#disks = disks;
    this.#dice = dice;
    this.#watch = new ClusterWatch(cluster);
    this.#logs = new LogReader(nodes);
    this.#audit = new Audit(keys, ids);
    this.#load = new Load({
      txPerSecond: options.txPerSecond,
      keys,
      nodes,
      onAccepted: (sequence, height) => this.#audit.acknowledged(sequence, height),
      onRefused: (problem) => this.#violations.push(problem),
    });
    this.#registers = new RegisterClients({
      nodes,
      dice: dice.fork("registers"),
      onViolation: (text) => this.#violations.push(text),
    });
  }

  async run(): Promise<ChaosReport> {
    const { signal } = this.#over;
    const results: CycleResult[] = [];
    const loading = new AbortController();
    const parts: Promise<void>[] = [];
    try {
      for (const node of this.#cluster.nodes) await this.#start(node);
      parts.push(this.#watch.run(signal), this.#follow(signal), this.#lookForTwoLeaders(signal));
      await this.#untilWhole(bootLimitMs, "after the start");
      const clients = [this.#load.run(loading.signal), this.#registers.run(loading.signal)];
      parts.push(...clients);
      const { cycles, enough } = this.#options;
      for (let nth = 1; nth <= cycles && !enough.aborted; nth++) {
        results.push(await this.#cycle(nth));
      }
      loading.abort();
      await Promise.all(clients);
      await this.#load.settle(settleLimitMs);
      await this.#auditAll();
    } finally {
      loading.abort();
      this.#over.abort();
      await Promise.all(parts);
      await this.#stopAll();
    }
    this.#violations.push(...violationsOf(results));
    if (this.#load.failed > 0) {
      this.#violations.push(`${this.#load.failed} transactions were not committed at the end`);
    }
    const { writes, reads } = this.#registers.counts;
    if (writes === 0 || reads === 0) this.#violations.push("no register was written and read");
    return this.#report(results);
  }

  async #cycle(nth: number): Promise<CycleResult> {
    const { faults, cycles, onNote } = this.#options;
    const fault = faults[(nth - 1) % faults.length];
    if (fault === undefined) throw new Error("there is nothing to do");
    const result = await runCycle(fault, {
      cluster: this.#cluster,
      network: this.#network,
      logs: this.#logs,
      view: () => this.#watch.view,
      dice: this.#dice,
      acknowledgedCount: () => this.#audit.acknowledgedCount + this.#registers.counts.writes,
      longMs: this.#longMs(),
      start: (node) => this.#start(node),
      diskOf: (node) => this.#diskOf(node),
      onViolation: (text) => this.#violations.push(text),
    });
    onNote(`${nth}/${cycles} ${describeCycle(result)}`);
    return result;
  }

  /** Some election timeouts. */
  #longMs(): number {
    const { rttMs, farRttMs } = this.#options;
    return Math.max(1_000, 32 * Math.max(rttMs, farRttMs));
  }

  /** Its port accepts as long as the process lives. */
  async #start(node: LocalNode): Promise<void> {
    await this.#network.nodeStarted(node.id);
    this.#audit.restarted(node);
    await node.start();
    void node.exited.then(() => this.#network.nodeEnded(node.id));
  }

  #diskOf(node: LocalNode): Disk {
    const disk = this.#disks.get(node);
    if (disk === undefined) throw new Error(`${node.id} has no disk of its own`);
    return disk;
  }

  async #untilWhole(limitMs: number, when: string): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    while (!(isWhole(this.#watch.view, 3) && this.#watch.view.height > 0)) {
      if (performance.now() > deadlineMs) throw new Error(`the cluster is not whole ${when}`);
      await sleep(50);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await Promise.all(
        this.#watch.view.nodes.map(async ({ id, status }) => {
          if (status === null) return;
          await this.#audit.advance(this.#cluster.node(id), status.height, signal);
        }),
      );
      await sleep(auditIntervalMs, signal);
    }
  }

  /** One term has one leader, whatever each of them knows. */
  async #lookForTwoLeaders(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const { id, status } of this.#watch.view.nodes) {
        if (status?.raft?.role !== "leader") continue;
        const { term } = status.raft;
        const known = this.#leaders.get(term) ?? id;
        this.#leaders.set(term, known);
        if (known !== id) this.#violations.push(`${known} and ${id} both lead in term ${term}`);
      }
      await sleep(leadersIntervalMs, signal);
    }
  }

  /** Every node, to one height. */
  async #auditAll(): Promise<void> {
    const height = Math.max(this.#watch.view.height, this.#audit.acknowledgedHeight);
    const deadlineMs = performance.now() + settleLimitMs;
    for (const node of this.#cluster.nodes) {
      while (!(await this.#audit.advance(node, height))) {
        if (performance.now() > deadlineMs) {
          this.#violations.push(`${node.id} does not show the blocks up to ${height}`);
          break;
        }
        await sleep(auditIntervalMs);
      }
    }
    this.#violations.push(...this.#audit.conclude());
  }

  async #stopAll(): Promise<void> {
    for (const node of this.#cluster.running) {
      const { code, signal } = await node.stop(stopLimitMs);
      if (code !== 0) this.#violations.push(`${node.id} ended with ${code ?? signal} at the end`);
    }
    this.#logs.advance();
    this.#violations.push(...this.#logs.errors);
  }

  #report(cycles: readonly CycleResult[]): ChaosReport {
    const { nodes, rttMs, farRttMs, blockTimeMs, seed } = this.#options;
    return {
      nodes,
      rttMs,
      farRttMs,
      blockTimeMs,
      seed,
      height: this.#watch.view.height,
      acknowledged: this.#audit.acknowledgedCount,
      unanswered: this.#load.failed,
      registers: this.#registers.counts,
      cycles,
      violations: this.#violations,
    };
  }
}
