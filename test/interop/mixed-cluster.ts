/** A cluster of whole nodes of ours and members that run hashicorp/raft, for one test. */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { onTestFinished } from "vitest";
import { LocalCluster } from "../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { kill, logLines } from "../e2e/harness/cluster.ts";
import { until } from "../e2e/harness/until.ts";
import { ForeignProducer } from "./foreign-producer.ts";
import { HashicorpMember, type MemberPlace, type Timeouts } from "./hashicorp-member.ts";
import { host, reservePorts } from "./reserved-ports.ts";

export interface MixedOptions {
  readonly ours: number;
  readonly hashicorp: number;
  /** Theirs are `go-1`, `go-2` unless it is given. */
  readonly hashicorpName?: string;
  /** Of our nodes. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * A lease outlasts the pause between two blocks: a leader of ours that is alone appends once more. And a machine
 * that stands still for a second deposes nobody.
 */
export const timeouts: Timeouts = {
  heartbeatTimeoutMs: 1_500,
  electionTimeoutMs: 1_500,
  leaderLeaseTimeoutMs: 1_500,
};

/** Of our nodes in a cluster with members in Go. */
export const settingsBesideGo = {
  "node.block_time": "200ms",
  "raft.heartbeat_timeout": `${timeouts.heartbeatTimeoutMs}ms`,
  "raft.election_timeout": `${timeouts.electionTimeoutMs}ms`,
  "raft.leader_lease_timeout": `${timeouts.leaderLeaseTimeoutMs}ms`,
  "raft.send_timeout": "500ms",
  "raft.trailing_logs": "18000",
  // What an ev-node applies is a signed block.
  "raft.sign_before_commit": "true",
};

const trailingLogs = 5;
const shownLogLines = 60;
const handOverTimeoutMs = 10_000;

export type Member = LocalNode | HashicorpMember;

export class MixedCluster {
  readonly ours: LocalCluster;
  readonly hashicorp: readonly HashicorpMember[];
  /** Builds what a hashicorp member that leads proposes. */
  readonly producer: ForeignProducer;

  private constructor(ours: LocalCluster, hashicorp: readonly HashicorpMember[]) {
    this.ours = ours;
    this.hashicorp = hashicorp;
    this.producer = new ForeignProducer(ours);
  }

  /** The homes only; what runs at the end of the test is killed. */
  static async create(options: MixedOptions): Promise<MixedCluster> {
    const directory = await mkdtemp(join(tmpdir(), "evm-interop-"));
    const reserved = await reservePorts(options.hashicorp);
    const { hashicorpName = "go" } = options;
    const foreign = reserved.ports.map(
      (port, at): MemberPlace => ({ id: `${hashicorpName}-${at + 1}`, address: `${host}:${port}` }),
    );
    const ours = await LocalCluster.create({
      directory,
      nodeCount: options.ours,
      otherMembers: foreign.map(({ id, address }) => `${id}@${address}`),
      settings: { ...settingsBesideGo, ...options.settings },
    });
    await reserved.release();
    const places = [...ours.nodes.map(placeOf), ...foreign];
    const hashicorp = foreign.map((place) => {
      const others = places.filter(({ id }) => id !== place.id);
      const itsDirectory = join(directory, place.id);
      return new HashicorpMember({
        ...place,
        ...timeouts,
        others,
        trailingLogs,
        directory: itsDirectory,
      });
    });
    const cluster = new MixedCluster(ours, hashicorp);
    onTestFinished(async ({ task }) => {
      await Promise.all([...ours.running.map(kill), ...hashicorp.map((member) => member.kill())]);
      if (task.result?.state === "fail") await cluster.#printLogs(directory);
      else await rm(directory, { recursive: true, force: true });
    });
    return cluster;
  }

  /**
   * All members run, one leads, and all have its log. One of ours that starts after an election asks for what its
   * empty raft_dir may have lost, and does not vote before it has that.
   */
  static async start(options: MixedOptions): Promise<MixedCluster> {
    const cluster = await MixedCluster.create(options);
    await Promise.all(cluster.members.map((member) => member.start()));
    await cluster.leader();
    await cluster.untilApplied();
    return cluster;
  }

  get members(): readonly Member[] {
    return [...this.ours.nodes, ...this.hashicorp];
  }

  get running(): readonly Member[] {
    return this.members.filter((member) => member.isRunning);
  }

  node(id: string): LocalNode {
    return this.ours.node(id);
  }

  go(id: string): HashicorpMember {
    const found = this.hashicorp.find((member) => member.id === id);
    if (found === undefined) throw new Error(`there is no ${id}`);
    return found;
  }

  /** Whom all running members name as the leader, once they do. */
  async leader(): Promise<Member> {
    return await until("all running members follow one leader", () => leaderAmong(this.running));
  }

  /** Has leadership handed over until `id` leads; a hand-over may fail while its target catches up. */
  async handOverTo(id: string): Promise<Member> {
    const target = this.members.find((member) => member.id === id);
    if (target === undefined) throw new Error(`there is no ${id}`);
    return await until(`${id} leads`, async () => {
      const leader = await this.leader();
      if (leader === target) return target;
      await handOver(leader, target);
      return null;
    });
  }

  /**
   * `count` more blocks by a member in Go; where it loses leadership, others' may be in between. One that leads
   * again refuses them for up to ten seconds, as long as a transfer of its last term has no answer.
   */
  async produceBy(member: HashicorpMember, count: number): Promise<void> {
    for (let nth = 0; nth < count; nth++) {
      await until(`${member.id} commits a block`, async () => {
        await this.handOverTo(member.id);
        return await this.producer.produce(member);
      });
    }
  }

  /** Everything that is committed now is applied by all running members; its last index. */
  async untilApplied(): Promise<number> {
    const index = Math.max(...(await Promise.all(this.running.map(commitIndexOf))));
    await until(`all running members have applied entry ${index}`, async () => {
      const applied = await Promise.all(this.running.map(appliedIndexOf));
      return applied.every((at) => at >= index);
    });
    return index;
  }

  async #printLogs(directory: string): Promise<void> {
    process.stderr.write(`the members' homes are kept in ${directory}\n`);
    for (const node of this.ours.nodes) print(node.id, logLines(node));
    for (const { id, logFile } of this.hashicorp) {
      print(id, (await readFile(logFile, "utf8").catch(() => "")).split("\n"));
    }
  }
}

export function isOurs(member: Member): member is LocalNode {
  return !(member instanceof HashicorpMember);
}

export function placeOf(member: Member): MemberPlace {
  if (!isOurs(member)) return member.place;
  return { id: member.id, address: `${member.place.host}:${member.place.raftPort}` };
}

/** The one of `members` whom all of them name as the leader; null if there is none. */
export async function leaderAmong(members: readonly Member[]): Promise<Member | null> {
  const named = await Promise.all(members.map(leaderIdSeenBy));
  const [first] = named;
  if (first === undefined || first === null || named.some((id) => id !== first)) return null;
  return members.find((member) => member.id === first) ?? null;
}

async function leaderIdSeenBy(member: Member): Promise<string | null> {
  if (isOurs(member)) return (await member.status())?.raft?.leaderId ?? null;
  const { leaderId } = await member.status();
  return leaderId === "" ? null : leaderId;
}

export async function commitIndexOf(member: Member): Promise<number> {
  if (!isOurs(member)) return (await member.status()).commitIndex;
  return (await raftOf(member)).commitIndex;
}

/** Its term, whether it leads that, and how far its log goes. */
export async function raftStateOf(member: Member) {
  if (!isOurs(member)) {
    const { state, term, lastIndex, commitIndex } = await member.status();
    return { term, leads: state === "Leader", lastIndex, commitIndex };
  }
  const { role, term, lastLogIndex: lastIndex, commitIndex } = await raftOf(member);
  return { term, leads: role === "leader", lastIndex, commitIndex };
}

/** As soon as it answers. */
export async function raftOf(node: LocalNode) {
  const { raft } = await until(`${node.id} answers`, () => node.status());
  if (raft === null) throw new Error("a member has a log");
  return raft;
}

export async function appliedIndexOf(member: Member): Promise<number> {
  if (isOurs(member)) return (await member.status())?.raft?.appliedIndex ?? 0;
  return (await member.status()).appliedIndex;
}

/** Whether `leader` says, when it is asked once, that it has handed over. It refuses while `target` is behind, for example. */
export async function handOver(leader: Member, target: Member): Promise<boolean> {
  if (isOurs(leader)) return await askToHandOver(leader, target.id);
  return await leader.transferTo(placeOf(target)).then(
    () => true,
    () => false,
  );
}

/** Whether the node answers, in time, that the target leads. */
export async function askToHandOver(leader: LocalNode, targetId: string): Promise<boolean> {
  try {
    const response = await fetch(`${leader.rpcUrl}/admin/transfer-leader`, {
      method: "POST",
      body: JSON.stringify({ target_id: targetId }),
      signal: AbortSignal.timeout(handOverTimeoutMs),
    });
    return isDeepStrictEqual(await response.json(), { leader_id: targetId });
  } catch {
    return false;
  }
}

function print(id: string, lines: readonly string[]): void {
  const shown = lines.slice(-shownLogLines).join("\n");
  process.stderr.write(`--- the end of ${id}'s log ---\n${shown}\n`);
}
