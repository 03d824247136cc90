/**
 * Keeps the nodes running: starts them again when they were killed, and tells a death that somebody
 * wished from one that the node is to blame for.
 */

import { readFile } from "node:fs/promises";
import { sleep } from "../base/task-group.ts";
import type { LocalNode, NodeExit } from "./local-node.ts";

/** Of a node's log, when it failed. */
const logTailLines = 15;
/** Among so many it says that it was told to stop. */
const farewellLines = 200;

const stopTimeoutMs = 25_000;

export interface SupervisorOptions {
  readonly nodes: readonly LocalNode[];
  /** From a node's death to its new start. */
  readonly restartDelayMs: number;
  readonly onNote: (text: string) => void;
  /** A node ended by itself, which no node may. */
  readonly onFailure: (problem: string) => void;
  readonly onRestart: (node: LocalNode) => void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  /** Aborts when waiting for a restart has no more point. */
  readonly #hurry = new AbortController();
  readonly #expectedDeaths = new Set<LocalNode>();
  #loops: readonly Promise<void>[] = [];
  #isStopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves once all processes are spawned. */
  async start(): Promise<void> {
    await Promise.all(this.#options.nodes.map((node) => node.start()));
    this.#loops = this.#options.nodes.map((node) => this.#keepRunning(node));
  }

  /** kill -9; the node starts again after the delay. */
  kill(node: LocalNode): void {
    this.#expectedDeaths.add(node);
    node.signal("SIGKILL");
  }

  /** Starts what is down at once, and from now on without a delay. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** Ends all nodes at the same time; returns what was wrong with how they ended. */
  async stop(): Promise<readonly string[]> {
    this.#isStopping = true;
    this.#hurry.abort();
    const problems = await Promise.all(
      this.#options.nodes.map(async (node) => {
        if (!node.isRunning) return [];
        const exit = await node.stop(stopTimeoutMs);
        return isCleanStop(exit) ? [] : [await describeDeath(node, exit)];
      }),
    );
    await Promise.all(this.#loops);
    return problems.flat();
  }

  async #keepRunning(node: LocalNode): Promise<void> {
    for (;;) {
      const exit = await node.exited;
      if (this.#isStopping) return;
      const wasExpected = this.#expectedDeaths.delete(node);
      if (!wasExpected && !(await isSomebodysWish(node, exit))) {
        this.#options.onFailure(await describeDeath(node, exit));
        return;
      }
      if (!wasExpected) this.#options.onNote(`${node.id} was ended from outside (${how(exit)})`);
      await sleep(this.#options.restartDelayMs, this.#hurry.signal);
      // `stop` may have begun during the wait.
      if (this.#isStopping) return;
      this.#options.onRestart(node);
      try {
        await node.start();
      } catch (error) {
        this.#options.onFailure(`${node.id} cannot be started again: ${String(error)}`);
        return;
      }
      this.#options.onNote(`started ${node.id} again, process ${node.pid}`);
    }
  }
}

/** A user who plays with the cluster kills nodes, or stops them politely. A crash is neither, nor is an end that nobody asked for. */
async function isSomebodysWish(node: LocalNode, { code, signal }: NodeExit): Promise<boolean> {
  if (code === 0) return (await lastLines(node, farewellLines)).includes("shutting down");
  return signal === "SIGKILL" || signal === "SIGTERM" || signal === "SIGINT";
}

/** A node that has only just started dies of SIGTERM before it can heed it. */
function isCleanStop({ code, signal }: NodeExit): boolean {
  return code === 0 || signal === "SIGTERM";
}

async function describeDeath(node: LocalNode, exit: NodeExit): Promise<string> {
  const lines = (await lastLines(node, logTailLines)).split("\n").map((line) => `    ${line}`);
  return [`${node.id} ended by itself (${how(exit)}). The end of ${node.logFile}:`, ...lines].join(
    "\n",
  );
}

async function lastLines(node: LocalNode, count: number): Promise<string> {
  const text = await readFile(node.logFile, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

function how({ code, signal }: NodeExit): string {
  return signal === null ? `exit code ${code}` : signal;
}
