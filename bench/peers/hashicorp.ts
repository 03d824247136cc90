/** hashicorp/raft on BoltDB, built from its module and run as a cluster of three. Needs Go; downloads modules. */

import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import { z } from "zod";

const readyLine = z.object({ kind: z.literal("ready") });
const resultLine = z.object({ elapsedMs: z.number(), latenciesMs: z.array(z.number()) });

export type PeerResult = z.infer<typeof resultLine>;

export interface PeerLoad {
  readonly sizeBytes: number;
  readonly inFlight: number;
  readonly seconds: number;
}

const buildLimitMs = 10 * 60_000;

export class HashicorpCluster {
  static readonly label = "hashicorp/raft 1.7.3 + BoltDB";
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #directory: string;

  private constructor(directory: string, program: string) {
    this.#directory = directory;
    this.#process = spawn(program, [join(directory, "data")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Builds it and waits for its leader. Throws what Go says if it cannot be built. */
  static async start(workDir: string): Promise<HashicorpCluster> {
    const directory = await mkdtemp(join(workDir, "hashicorp-"));
    const program = join(directory, "hashicorp");
    try {
      await promisify(execFile)("go", ["build", "-o", program, "."], {
        cwd: join(import.meta.dirname, "hashicorp"),
        timeout: buildLimitMs,
      });
      const cluster = new HashicorpCluster(directory, program);
      readyLine.parse(JSON.parse(await cluster.#line()));
      return cluster;
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async load(load: PeerLoad): Promise<PeerResult> {
    this.#process.stdin.write(`${JSON.stringify(load)}\n`);
    return resultLine.parse(JSON.parse(await this.#line()));
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, "exit");
      this.#process.stdin.end();
      await ended;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`${HashicorpCluster.label} ended; its errors are above`);
    return value;
  }
}

/** Whether Go is there to build it with. */
export async function hasGo(): Promise<boolean> {
  try {
    await promisify(execFile)("go", ["version"]);
    return true;
  } catch {
    return false;
  }
}
