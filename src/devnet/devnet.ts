/**
 * A cluster to try: starts it, shows it, sends it transactions and kills its leader if asked to, and
 * at the end says whether the chain is what it must be.
 */

import { relative } from "node:path";
import { describeError } from "../base/coded-error.ts";
import { sleep, TaskGroup } from "../base/task-group.ts";
import { formatDuration } from "../config/duration.ts";
import { Audit } from "./audit.ts";
import { failed } from "./errors.ts";
import { claimFolder } from "./folder.ts";
import { ProcessGuard } from "./guard.ts";
import { quantileOf } from "./latency.ts";
import { LeaderKiller } from "./leader-killer.ts";
import { Load } from "./load.ts";
import { LoadKeys } from "./load-keys.ts";
import { LocalCluster } from "./local-cluster.ts";
import type { LocalNode } from "./local-node.ts";
import type { Screen } from "./screen.ts";
import { Supervisor } from "./supervisor.ts";
import { type DevnetFacts, gapText, loadText, statusLine, table, welcome } from "./view.ts";
import { ClusterWatch, isWhole } from "./watch.ts";

export interface DevnetOptions {
  /** Absolute. */
  readonly directory: string;
  readonly nodeCount: number;
  readonly blockTimeMs: number;
  /** 0 for none. */
  readonly txPerSecond: number;
  /** null for never. */
  readonly killIntervalMs: number | null;
  /** From the first block on; null until told to stop. */
  readonly durationMs: number | null;
  /** By key name, for all nodes. */
  readonly settings: Readonly<Record<string, string>>;
}

const drawIntervalMs = 200;
/** Of the lines where there is no terminal. */
const lineIntervalMs = 1_000;
const auditIntervalMs = 1_000;
const restartDelayMaxMs = 1_000;
/** On a machine that does other things, too. */
const bootTimeoutMs = 60_000;
/** For the answers still out, and for nodes to catch up, at the end. */
const settleTimeoutMs = 20_000;

/** Runs until `signal` aborts or the duration is over. Throws DevnetError. */
export async function runDevnet(
  options: DevnetOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  const lock = await claimFolder(options.directory);
  try {
    const guard = await ProcessGuard.start();
    try {
      const cluster = await LocalCluster.create({
        directory: options.directory,
        nodeCount: options.nodeCount,
        settings: { "node.block_time": formatDuration(options.blockTimeMs), ...options.settings },
        guard,
      });
      await new Devnet(options, cluster, screen).run(signal);
    } finally {
      await guard.close();
    }
  } finally {
    await lock.release();
  }
}

class Devnet {
  readonly #options: DevnetOptions;
  readonly #cluster: LocalCluster;
  readonly #screen: Screen;
  readonly #watch: ClusterWatch;
  readonly #supervisor: Supervisor;
  readonly #audit: Audit;
  readonly #load: Load | null;
  readonly #killer: LeaderKiller | null;
  readonly #problems: string[] = [];
  /** Aborts at the first problem. */
  readonly #trouble = new AbortController();

  constructor(options: DevnetOptions, cluster: LocalCluster, screen: Screen) {
    this.#options = options;
    this.#cluster = cluster;
    this.#screen = screen;
    this.#watch = new ClusterWatch(cluster);
    const keys = new LoadKeys();
    const { nodes } = cluster;
    const audit = new Audit(
      keys,
      nodes.map(({ id }) => id),
    );
    this.#audit = audit;
    const { txPerSecond, killIntervalMs, blockTimeMs } = options;
    const onNote = (text: string) => this.#note(text);
    const onFailure = (problem: string) => this.#fail(problem);
    const supervisor = new Supervisor({
      nodes,
      restartDelayMs: Math.min(restartDelayMaxMs, (killIntervalMs ?? Infinity) / 3),
      onNote,
      onFailure,
      onRestart: (node) => audit.restarted(node),
    });
    this.#supervisor = supervisor;
    const onAccepted = (sequence: number, height: number) => audit.acknowledged(sequence, height);
    this.#load =
      txPerSecond === 0
        ? null
        : new Load({ txPerSecond, keys, nodes, onAccepted, onRefused: onFailure });
    const view = () => this.#watch.view;
    const kill = (node: LocalNode) => supervisor.kill(node);
    const intervalMs = killIntervalMs;
    this.#killer =
      intervalMs === null
        ? null
        : new LeaderKiller({ intervalMs, blockTimeMs, view, nodes, kill, onNote, onFailure });
  }

  async run(signal: AbortSignal): Promise<void> {
    const onFailure = (name: string, error: unknown) =>
      this.#fail(`${name}: ${describeError(error)}`);
    const showing = new TaskGroup(onFailure);
    const working = new TaskGroup(onFailure);
    const ending = AbortSignal.any([signal, this.#trouble.signal]);
    this.#screen.print(this.#welcome());
    const verdict: string[] = [];
    try {
      await this.#supervisor.start();
      showing.spawn("watch", (ended) => this.#watch.run(ended));
      showing.spawn("screen", (ended) => this.#show(ended));
      if (await this.#hasStarted(ending)) {
        const { durationMs } = this.#options;
        working.spawn("audit", (ended) => this.#follow(ended));
        working.spawn("load", async (ended) => this.#load?.run(ended));
        working.spawn("kills", async (ended) => this.#killer?.run(ended));
        await (durationMs === null ? aborted(ending) : sleep(durationMs, ending));
        await working.stop();
        if (this.#problems.length === 0) verdict.push(...(await this.#verify()));
      }
    } finally {
      await working.stop();
      await showing.stop();
      this.#screen.leaveTable();
      this.#note("stopping the nodes");
      for (const problem of await this.#supervisor.stop()) this.#fail(problem);
    }
    const { load, gaps } = this.#facts();
    if (load !== null) this.#screen.print(`load: ${loadText(load)}`);
    if (gaps !== null) this.#screen.print(`kills: ${gapText(gaps)}`);
    for (const line of verdict) this.#screen.print(line);
    if (this.#problems.length > 0) throw failed(this.#problems);
  }

  #welcome(): string {
    const { directory, nodeCount, blockTimeMs } = this.#options;
    const facts = {
      directory: shortPath(directory),
      nodeCount,
      blockTime: formatDuration(blockTimeMs),
      rpcUrl: this.#cluster.node("node-1").rpcUrl,
    };
    return welcome(facts, this.#screen.hasColor);
  }

  /** Every node is there and the chain grows; false if it is to end before. */
  async #hasStarted(ending: AbortSignal): Promise<boolean> {
    const startedMs = performance.now();
    while (!ending.aborted) {
      const { view } = this.#watch;
      const tookMs = performance.now() - startedMs;
      if (isWhole(view, this.#options.blockTimeMs) && view.height > 0) {
        const seconds = (tookMs / 1000).toFixed(1);
        this.#note(`${view.leaderId} leads, and blocks are made, after ${seconds} s`);
        return true;
      }
      if (tookMs > bootTimeoutMs) {
        this.#fail(
          `the nodes make no blocks after ${bootTimeoutMs / 1000} s; their logs say why: ${shortPath(this.#options.directory)}/node-*/node.log`,
        );
      }
      await sleep(50, ending);
    }
    return false;
  }

  /** Reads the chain as it grows, so that little is left to read at the end. */
  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await Promise.all(
        this.#watch.view.nodes.map(async ({ id, status }) => {
          if (status === null) return;
          await this.#audit.advance(this.#cluster.node(id), status.height, signal);
        }),
      );
      for (const violation of this.#audit.violations) this.#fail(violation);
      await sleep(auditIntervalMs, signal);
    }
  }

  /** Brings all nodes and the audit to one height; returns the verdict in words. */
  async #verify(): Promise<readonly string[]> {
    this.#note("comparing the chains of all nodes");
    this.#supervisor.hurry();
    await this.#load?.settle(settleTimeoutMs);
    // What is acknowledged is committed, though the highest node may not have told us yet.
    const height = Math.max(this.#watch.view.height, this.#audit.acknowledgedHeight);
    const deadline = AbortSignal.timeout(settleTimeoutMs);
    const { nodes } = this.#cluster;
    await Promise.all(
      nodes.map(async (node) => {
        while (!deadline.aborted && !this.#trouble.signal.aborted) {
          if (await this.#audit.advance(node, height, deadline)) return;
          await sleep(50, deadline);
        }
      }),
    );
    const behind = nodes.filter((node) => this.#audit.comparedTo(node) < height);
    for (const node of behind) {
      const reached = this.#audit.comparedTo(node);
      this.#fail(`${node.id} gives no block ${reached + 1} of ${height}; see ${node.logFile}`);
    }
    for (const violation of this.#audit.conclude()) this.#fail(violation);
    if (this.#problems.length > 0) return ["NOT verified"];
    return [
      verdictOf(nodes.length, height, this.#load === null ? null : this.#audit.acknowledgedCount),
    ];
  }

  async #show(signal: AbortSignal): Promise<void> {
    const { isInteractive, hasColor } = this.#screen;
    let before = "";
    while (!signal.aborted) {
      const facts = this.#facts();
      const lines = isInteractive ? table(facts, hasColor) : [statusLine(facts)];
      const text = lines.join("\n");
      if (text !== before && isInteractive) this.#screen.draw(lines);
      else if (text !== before) this.#note(text);
      before = text;
      await sleep(isInteractive ? drawIntervalMs : lineIntervalMs, signal);
    }
  }

  #facts(): DevnetFacts {
    const load = this.#load;
    const gapsMs = this.#killer?.gapsMs ?? null;
    return {
      cluster: this.#watch.view,
      load: load && {
        accepted: load.accepted,
        failed: load.failed,
        waiting: load.waiting,
        p50Ms: load.latency.quantile(0.5),
        p99Ms: load.latency.quantile(0.99),
      },
      gaps: gapsMs && {
        kills: gapsMs.length,
        p50Ms: quantileOf(gapsMs, 0.5),
        p95Ms: quantileOf(gapsMs, 0.95),
        maxMs: quantileOf(gapsMs, 1),
      },
    };
  }

  #note(text: string): void {
    const time = new Date().toISOString().slice("2026-01-01T".length, -1);
    this.#screen.print(`${time} ${text}`);
  }

  /** The devnet ends, since what follows would only hide it. */
  #fail(problem: string): void {
    if (this.#problems.includes(problem)) return;
    this.#problems.push(problem);
    this.#note(problem);
    this.#trouble.abort();
  }
}

function verdictOf(nodeCount: number, height: number, transactions: number | null): string {
  const chain =
    nodeCount === 1
      ? `the node's ${height} blocks are one chain`
      : `${nodeCount} nodes agree on all ${height} blocks`;
  if (transactions === null) return `verified: ${chain}`;
  return `verified: ${chain}; ${transactions} acknowledged transactions, each in the chain exactly once`;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}

/** From where the user stands, if that is shorter. */
function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere !== "" && fromHere.length < path.length ? fromHere : path;
}
