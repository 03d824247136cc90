/** One node of a local cluster: a process, its log file, and what it answers over HTTP. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { ProcessGuard } from "./guard.ts";

export interface LocalNodePlace {
  readonly id: string;
  readonly home: string;
  readonly host: string;
  readonly raftPort: number;
  readonly rpcPort: number;
  readonly metricsPort: number;
  readonly p2pPort: number;
  readonly passphrase: string;
}

export interface NodeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LocalNodeStatus {
  readonly height: number;
  readonly hash: string;
  readonly raft: {
    readonly role: string;
    readonly leaderId: string | null;
    readonly term: number;
    readonly commitIndex: number;
    readonly appliedIndex: number;
    readonly lastLogIndex: number;
    readonly state: string;
  } | null;
}

const statusSchema = z.object({
  result: z.object({
    sync_info: z.object({
      latest_block_height: z.string(),
      latest_block_hash: z.string(),
    }),
    raft_info: z
      .object({
        role: z.string(),
        leader_id: z.string().nullable(),
        term: z.number(),
        commit_index: z.number(),
        applied_index: z.number(),
        last_log_index: z.number(),
        state: z.string(),
      })
      .nullable(),
  }),
});

const askTimeoutMs = 1_000;

export class LocalNode {
  readonly place: LocalNodePlace;
  readonly logFile: string;
  readonly #flags: readonly string[];
  readonly #guard: ProcessGuard | null;
  #process: ChildProcess | null = null;
  #exited: Promise<NodeExit> = Promise.resolve({ code: 0, signal: null });

  /** With a guard the process is in a group of its own, so that Ctrl-C reaches only its parent. */
  constructor(place: LocalNodePlace, flags: readonly string[], guard: ProcessGuard | null = null) {
    this.place = place;
    this.#guard = guard;
    this.logFile = join(place.home, "node.log");
    this.#flags = flags;
  }

  get id(): string {
    return this.place.id;
  }

  get rpcUrl(): string {
    return `http://${this.place.host}:${this.place.rpcPort}`;
  }

  get metricsUrl(): string {
    return `http://${this.place.host}:${this.place.metricsPort}/metrics`;
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** How the last process ended; pending while it runs. */
  get exited(): Promise<NodeExit> {
    return this.#exited;
  }

  /** Starts the process; its output is appended to `logFile`. Resolves once it is spawned. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const main = join(import.meta.dirname, "..", "cli", `main.${extension}`);
    const { home, passphrase } = this.place;
    const child = this.#spawn([main, "start", `--home=${home}`, ...this.#flags], {
      ...inheritedEnvironment(),
      EV_SIGNER_PASSPHRASE: passphrase,
      // All nodes run the same program: they need not all compile it, nor again at each restart.
      NODE_COMPILE_CACHE: join(home, "..", "compile-cache"),
      ...environment,
    });
    const spawned = once(child, "spawn");
    const { pid } = child;
    // Without an id there is no process to wait for; `spawned` says why.
    if (pid === undefined) return void (await spawned);
    this.#process = child;
    this.#guard?.watch(pid);
    this.#exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        if (this.#process === child) this.#process = null;
        this.#guard?.forget(pid);
        resolve({ code, signal });
      });
    });
    await spawned;
  }

  #spawn(args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    const log = openSync(this.logFile, "a");
    try {
      const detached = this.#guard !== null;
      return spawn(process.execPath, args, { stdio: ["ignore", log, log], env, detached });
    } finally {
      closeSync(log);
    }
  }

  /** Sends a signal; nothing happens if the process has ended. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends the process: by SIGTERM, and by SIGKILL if that takes longer than `timeoutMs`. */
  async stop(timeoutMs: number): Promise<NodeExit> {
    const timer = setTimeout(() => this.signal("SIGKILL"), timeoutMs);
    this.signal("SIGTERM");
    const exit = await this.#exited;
    clearTimeout(timer);
    return exit;
  }

  /** null if it does not answer. */
  async status(): Promise<LocalNodeStatus | null> {
    const answer = await this.get("/status");
    const parsed = statusSchema.safeParse(answer?.body);
    if (!parsed.success) return null;
    const { sync_info: sync, raft_info: raft } = parsed.data.result;
    return {
      height: Number(sync.latest_block_height),
      hash: sync.latest_block_hash,
      raft:
        raft === null
          ? null
          : {
              role: raft.role,
              leaderId: raft.leader_id,
              term: raft.term,
              commitIndex: raft.commit_index,
              appliedIndex: raft.applied_index,
              lastLogIndex: raft.last_log_index,
              state: raft.state,
            },
    };
  }

  /** A JSON answer over HTTP; null if there was none in time. */
  async get(path: string): Promise<{ readonly status: number; readonly body: unknown } | null> {
    try {
      const response = await fetch(this.rpcUrl + path, {
        signal: AbortSignal.timeout(askTimeoutMs),
      });
      return { status: response.status, body: await response.json() };
    } catch {
      // A process that starts, stops or is killed does not answer; that is the answer.
      return null;
    }
  }
}

/** Without settings: a variable of the developer's shell is about another node. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith("EVNODE_"));
  return Object.fromEntries(entries);
}
