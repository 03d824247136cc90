/** Three members of a consensus cluster on loopback, and what the benchmark waits for in them. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { monotonicMs } from "../src/consensus/shared-lease.ts";
import type { Term } from "../src/raft/types.ts";
import { MemberProcess } from "./member/process.ts";
import type { FromMember, Timeouts } from "./member/protocol.ts";

export type Told = FromMember & { readonly memberId: string };

export interface ClusterOptions {
  /** On the disk to be measured; each cluster gets, and removes, a folder of its own in it. */
  readonly workDir: string;
  readonly timeouts?: Timeouts;
  readonly execArgv?: readonly string[];
}

/** Those of the quick-failover example; detection is only part of what a failover takes. */
export const quickTimeouts: Timeouts = {
  heartbeatTimeoutMs: 92,
  electionTimeoutMs: 368,
  leaderLeaseTimeoutMs: 46,
  sendTimeoutMs: 50,
};

/** For measurements that no election may disturb, however busy the machine is. */
const calmTimeouts: Timeouts = {
  heartbeatTimeoutMs: 1000,
  electionTimeoutMs: 2000,
  leaderLeaseTimeoutMs: 500,
  sendTimeoutMs: 500,
};

const patienceMs = 30_000;

export class BenchCluster {
  readonly members: readonly MemberProcess[];
  readonly startedAtMs: number;
  readonly #directory: string;
  #roles: (Told & { readonly kind: "role" })[] = [];
  #waiting: { matches: (told: Told) => boolean; resolve: (told: Told) => void }[] = [];

  private constructor(directory: string, ports: readonly number[], options: ClusterOptions) {
    const { timeouts = calmTimeouts, execArgv = [] } = options;
    this.#directory = directory;
    this.members = ports.map((port, at) => {
      const peers = ports
        .map((peerPort, peerAt) => [`m${peerAt + 1}`, `127.0.0.1:${peerPort}`] as const)
        .filter((_, peerAt) => peerAt !== at);
      const id = `m${at + 1}`;
      return new MemberProcess(
        { id, raftDir: join(directory, id), port, peers, timeouts },
        { execArgv, onTold: (told) => this.#take(told) },
      );
    });
    this.startedAtMs = monotonicMs();
    for (const member of this.members) member.start();
  }

  /** Resolves once there is a leader that has committed in its term, and all follow it. */
  static async start(options: ClusterOptions): Promise<BenchCluster> {
    const directory = await mkdtemp(join(options.workDir, "bench-"));
    const cluster = new BenchCluster(directory, await freePorts(3), options);
    await cluster.settled();
    return cluster;
  }

  member(id: string): MemberProcess {
    const found = this.members.find((member) => member.id === id);
    if (found === undefined) throw new Error(`there is no member ${id}`);
    return found;
  }

  /** The newest that any member has told of. */
  get term(): Term {
    return Math.max(0, ...this.#roles.map(({ report }) => report.term));
  }

  /** The leader of the newest term that has joined, once every member follows it. */
  async settled(): Promise<MemberProcess> {
    for (;;) {
      const leader = this.#agreedLeader();
      if (leader !== null) return this.member(leader);
      await this.next((told) => told.kind === "role");
    }
  }

  /** That all members together have used so far. */
  async cpuSeconds(): Promise<number> {
    const usages = await Promise.all(this.members.map((member) => member.usage()));
    return usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  }

  /** The first message told from now on that matches. Rejects if there is none for long. */
  next<T extends Told>(matches: (told: Told) => told is T): Promise<T>;
  next(matches: (told: Told) => boolean): Promise<Told>;
  next(matches: (told: Told) => boolean): Promise<Told> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(this.#describeStall())), patienceMs);
      this.#waiting.push({
        matches,
        resolve: (told) => {
          clearTimeout(timer);
          resolve(told);
        },
      });
    });
  }

  /** Forgets what a member said before its process was ended. */
  forget(memberId: string): void {
    this.#roles = this.#roles.filter((told) => told.memberId !== memberId);
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  #take(told: Told): void {
    if (told.kind === "role") this.#roles.push(told);
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ matches }) => !matches(told));
    for (const { resolve } of waiting.filter(({ matches }) => matches(told))) resolve(told);
  }

  #describeStall(): string {
    const views = this.members.map(({ id }) => {
      const told = this.#latestRole(id);
      const view = told === undefined ? "nothing" : JSON.stringify(told.report);
      return `${id} said ${view}`;
    });
    return `the cluster did not get there within ${patienceMs} ms: ${views.join("; ")}`;
  }

  #latestRole(id: string): (Told & { readonly kind: "role" }) | undefined {
    return this.#roles.findLast((told) => told.memberId === id);
  }

  #agreedLeader(): string | null {
    const reports = this.members.map(({ id }) => this.#latestRole(id)?.report);
    const { term, leaderId } = reports[0] ?? { term: 0, leaderId: null };
    const agree = reports.every(
      (report) => report?.hasJoined && report.term === term && report.leaderId === leaderId,
    );
    return agree ? leaderId : null;
  }
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((resolve) => server.close(resolve));
      if (address === null || typeof address === "string") throw new Error("a port is a number");
      return address.port;
    }),
  );
}
