/** Three members of a cluster, ours or a peer's, and what the benchmark waits for in them. */

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { monotonicMs } from "../src/consensus/shared-lease.ts";
import { portPicker } from "../src/devnet/free-ports.ts";
import type { Term } from "../src/raft/types.ts";
import { type Launch, MemberProcess } from "./member/process.ts";
import type { FromMember, LightLoad, Timeouts } from "./member/protocol.ts";
import type { NetworkWay } from "./network/protocol.ts";
import { SlowNetwork } from "./network/slow-network.ts";
import { launchOurs } from "./peers/ours.ts";

export type Told = FromMember & { readonly memberId: string };

export interface ClusterOptions {
  /** On the disk to be measured; each cluster gets, and removes, a folder of its own in it. */
  readonly workDir: string;
  readonly timeouts?: Timeouts;
  readonly execArgv?: readonly string[];
  /** Whose members they are; ours, unless it is said. */
  readonly launch?: Launch;
  /** How long a byte is on its way from one member to another; as long as on loopback, unless it is said. */
  readonly oneWayMs?: number;
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

const host = "127.0.0.1";
const memberCount = 3;
const patienceMs = 30_000;
/** Of seconds of a light load. */
const acknowledgedKept = 2_000;

export class BenchCluster {
  readonly members: readonly MemberProcess[];
  readonly startedAtMs: number;
  readonly #directory: string;
  readonly #network: SlowNetwork | null;
  #roles: (Told & { readonly kind: "role" })[] = [];
  readonly #acknowledged: (Told & { readonly kind: "acknowledged" })[] = [];
  #waiting: { matches: (told: Told) => boolean; resolve: (told: Told) => void }[] = [];

  private constructor(directory: string, ways: readonly NetworkWay[], options: ClusterOptions) {
    const { timeouts = calmTimeouts, execArgv = [], oneWayMs = 0 } = options;
    const { launch = launchOurs(execArgv) } = options;
    this.#directory = directory;
    this.#network = oneWayMs > 0 ? new SlowNetwork({ host, oneWayMs, ways }) : null;
    const servers = ways.map(({ to, via }, at) => ({
      id: `m${at + 1}`,
      port: to,
      address: `${host}:${oneWayMs > 0 ? via : to}`,
    }));
    this.members = servers.map(({ id, port, address }) => {
      const others = servers.filter((other) => other.id !== id);
      return new MemberProcess(
        {
          id,
          raftDir: join(directory, id),
          port,
          advertisedAddress: address,
          peers: others.map((other) => [other.id, other.address]),
          timeouts,
        },
        { launch, onTold: (told) => this.#take(told) },
      );
    });
    this.startedAtMs = monotonicMs();
    for (const member of this.members) member.start();
  }

  /** Resolves once there is a leader that has committed in its term, and all follow it. */
  static async start(options: ClusterOptions): Promise<BenchCluster> {
    const directory = await mkdtemp(join(options.workDir, "bench-"));
    const cluster = new BenchCluster(directory, await freeWays(), options);
    try {
      await cluster.settled();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  member(id: string): MemberProcess {
    const found = this.members.find((member) => member.id === id);
    if (found === undefined) throw new Error(`there is no member ${id}`);
    return found;
  }

  /** The newest that any member has told of. */
  get term(): Term {
    return Math.max(
      0,
      ...this.#roles.map(({ report }) => report.term),
      ...this.#acknowledged.map(({ term }) => term),
    );
  }

  /** When the last commands of the light load were acknowledged. */
  get acknowledgedMs(): readonly number[] {
    return this.#acknowledged.map(({ atMs }) => atMs);
  }

  /** The leader of the newest term that has joined, once every member follows it. */
  async settled(): Promise<MemberProcess> {
    for (;;) {
      const leader = this.#agreedLeader();
      if (leader !== null) return this.member(leader);
      await this.next((told) => told.kind === "role");
    }
  }

  /** How long after the start of the processes the first command is committed, all following their leader. */
  async firstCommitMs(): Promise<number> {
    const leader = await this.settled();
    await leader.load({ sizeBytes: 512, inFlight: 1, seconds: 60, commitsMax: 1 });
    return monotonicMs() - this.startedAtMs;
  }

  /** Sends a signal; resolves, once the process has ended, with when it was sent. */
  async end(member: MemberProcess, signal: "SIGKILL" | "SIGTERM"): Promise<number> {
    const sentAtMs = await member.end(signal);
    this.#network?.close(member.options.port);
    this.#roles = this.#roles.filter(({ memberId }) => memberId !== member.id);
    return sentAtMs;
  }

  /** Resolves when it takes connections again. */
  async restart(member: MemberProcess): Promise<void> {
    const isBack = this.next((told) => told.kind === "started" && told.memberId === member.id);
    member.start();
    await isBack;
  }

  /** Whoever can proposes a little, until `rest`; resolves once something is committed. */
  async keepProposing(load: LightLoad): Promise<void> {
    const first = this.next((told) => told.kind === "acknowledged");
    await Promise.all(this.members.map((member) => member.keepProposing(load)));
    await first;
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

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    await this.#network?.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #take(told: Told): void {
    if (told.kind === "role") this.#roles.push(told);
    if (told.kind === "acknowledged") {
      this.#acknowledged.push(told);
      if (this.#acknowledged.length > acknowledgedKept) this.#acknowledged.shift();
    }
    if (told.kind === "started") void this.#network?.open(this.member(told.memberId).options.port);
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
    // A command of a newer term may be heard of before that term's leader.
    return agree && term === this.term ? leaderId : null;
  }
}

/** To each member a port of its own, and one before it for a network. */
async function freeWays(): Promise<readonly NetworkWay[]> {
  const nextPort = portPicker();
  const ways: NetworkWay[] = [];
  while (ways.length < memberCount) {
    ways.push({ to: await nextPort(host), via: await nextPort(host) });
  }
  return ways;
}
