/** One cluster with members that run hashicorp/raft: either kind leads, is repaired, is killed, comes back. */

import { describe, expect, it } from "vitest";
import { decodeBlockPayload } from "../../src/block/codec.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { kill, logLines, untilGrown } from "../e2e/harness/cluster.ts";
import { sendTx } from "../e2e/harness/transactions.ts";
import { until } from "../e2e/harness/until.ts";
import { checkAgreement, logOf } from "./agreement.ts";
import { isOurs, type Member, MixedCluster, type MixedOptions } from "./mixed-cluster.ts";
import { hasProgram, needing } from "./programs.ts";

const timeout = 600_000;

const shapes = [
  { ours: 2, hashicorp: 1 },
  { ours: 1, hashicorp: 2 },
  { ours: 3, hashicorp: 2 },
] as const satisfies readonly MixedOptions[];

describe.skipIf(!hasProgram("hashicorp"))(needing("hashicorp", "a mixed cluster"), () => {
  it.each(shapes)(
    "$ours of ours, $hashicorp of hashicorp's: hand-over, kill -9, repair",
    {
      timeout,
    },
    async (shape) => {
      const cluster = await MixedCluster.start(shape);
      const committed: string[] = [];
      for (const member of cluster.members) {
        await cluster.handOverTo(member.id);
        const tx = `${member.id}=leads`;
        if (isOurs(member)) expect((await sendTx(member, tx)).kind).toBe("committed");
        else await cluster.producer.produce(member, 1, [tx]);
        committed.push(tx);
        await grow(cluster, 3);
      }

      // Either kind dies while it leads, and comes back with its log to a cluster that went on.
      for (const id of ["go-1", "node-1"]) {
        await cluster.handOverTo(id);
        const leader = await cluster.leader();
        await killMember(leader);
        await grow(cluster, 3);
        await leader.start();
        await cluster.untilApplied();
      }

      // Either kind has appended what nobody else has, and finds another entry in its place.
      const tails = [
        await deposeWithTail(cluster, "go-1"),
        await deposeWithTail(cluster, "node-1"),
      ];
      expect(logLines(cluster.node("node-1")).join("\n")).toMatch(/clearing log suffix/);

      await Promise.all(cluster.members.map(killMember));
      await Promise.all(cluster.members.map((member) => member.start()));
      await grow(cluster, 3);

      const { chain, entries } = await checkAgreement(cluster);
      expect(chain.flatMap(({ data }) => data.txs.map(textOf))).toEqual(committed);
      for (const { index, term } of tails) {
        expect(entries.get(index)?.term).toBeGreaterThan(term);
      }
    },
  );
});

describe.skipIf(!hasProgram("hashicorp"))(needing("hashicorp", "a member that was away"), () => {
  it("is sent a snapshot, by either kind to either kind", { timeout }, async () => {
    const settings = { "raft.snapshot_threshold": "20", "raft.trailing_logs": "5" };
    const cluster = await MixedCluster.start({ ours: 3, hashicorp: 2, settings });
    const [first, second] = [cluster.go("go-1"), cluster.go("go-2")];

    // Ours to theirs. What it restores is our snapshot: an entry, and identities that ev-node skips.
    await cluster.handOverTo("node-1");
    await first.kill();
    await untilGrown(cluster.node("node-1"), 60);
    await first.start();
    await until("go-1 has restored a snapshot", async () => (await first.status()).restores > 0);
    await cluster.untilApplied();

    // Theirs to ours: the blocks below it come from a node of ours that has them, and so do the
    // identities of their transactions, which a snapshot of theirs has none of.
    const away = cluster.node("node-3");
    await kill(away);
    const once = await committedWith(cluster.node("node-1"), "once");
    await cluster.handOverTo("go-1");
    await cluster.producer.produce(first, 40, ["a=1"]);
    await first.snapshot();
    await away.start();
    await until("node-3 has installed it", () =>
      logLines(away).some((line) => /installed remote snapshot leader=go-1/.test(line)),
    );
    await cluster.untilApplied();

    // Theirs to theirs, once it has ours.
    await second.kill();
    await cluster.producer.produce(first, 20);
    await first.snapshot();
    await second.start();
    await until("go-2 has restored a snapshot", async () => (await second.status()).restores > 0);

    await cluster.handOverTo("node-3");
    expect(await committedWith(away, "once")).toBe(once);
    await untilGrown(away, 5);
    await checkAgreement(cluster);
  });
});

/** The height of the block that has the transaction of this identity. */
async function committedWith(node: LocalNode, key: string): Promise<number> {
  return await until(`${node.id} has ${key} in a block`, async () => {
    const answer = await sendTx(node, "once=1", { key });
    return answer.kind === "committed" ? answer.height : null;
  });
}

/** `count` more blocks, by whoever leads. */
async function grow(cluster: MixedCluster, count: number): Promise<void> {
  let wanted: number | null = null;
  await until(`${count} more blocks`, async () => {
    const leader = await cluster.leader();
    // It may lead no more: then whoever leads goes on.
    if (!isOurs(leader)) await cluster.producer.produce(leader, 1).catch(() => {});
    const height = await heightOf(leader);
    wanted ??= height + count;
    return height >= wanted;
  });
}

async function heightOf(member: Member): Promise<number> {
  if (isOurs(member)) return (await member.status())?.height ?? 0;
  const { fsm } = await member.status();
  return fsm === null ? 0 : decodeBlockPayload(fsm).height;
}

/** `id` appends while all others are dead, and dies; it comes back to others that went on. What it had appended. */
async function deposeWithTail(cluster: MixedCluster, id: string) {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    await cluster.handOverTo(id);
    await grow(cluster, 3);
    const leader = await cluster.leader();
    if (leader.id !== id) continue;
    const tail = await appendAlone(cluster, leader);
    const others = cluster.members.filter((member) => member !== leader);
    await killMember(leader);
    const isKept = tail !== null && (await hasOnDisk(leader, tail.index));
    await Promise.all(others.map((member) => member.start()));
    await grow(cluster, 3);
    await leader.start();
    await cluster.untilApplied();
    if (isKept) return tail;
  }
  throw new Error(`${id} has not appended alone in ${attemptsMax} attempts`);
}

/** Ours counts an entry as appended before it is written: killed in between, it has no tail when it is back. */
async function hasOnDisk(killed: Member, index: number): Promise<boolean> {
  return !isOurs(killed) || (await logOf(killed)).some((entry) => entry.index === index);
}

const attemptsMax = 5;

/** null if it cannot be told: a block was under way when the others were killed, or its lease was over. */
async function appendAlone(cluster: MixedCluster, leader: Member) {
  const before = await logEnd(leader);
  const quiet = await until("the moment after a block", async () => {
    const log = await logEnd(leader);
    const isAfter = !isOurs(leader) || log.commitIndex > before.commitIndex;
    return isAfter && log.lastIndex === log.commitIndex ? log : null;
  });
  // Before the others are gone, since it asks one of them.
  const block = isOurs(leader) ? null : await cluster.producer.next(leader);
  await Promise.all(cluster.members.filter((member) => member !== leader).map(killMember));
  if ((await logEnd(leader)).lastIndex > quiet.lastIndex) return null;
  // It is deposed before a majority has it, and says so.
  if (!isOurs(leader) && block !== null) await expect(leader.apply(block)).rejects.toThrow();
  const { lastIndex, term } = await until(`${leader.id} appends, or leads no more`, async () => {
    const log = await logEnd(leader);
    return log.lastIndex > quiet.lastIndex || !log.leads ? log : null;
  });
  return lastIndex > quiet.lastIndex ? { index: lastIndex, term } : null;
}

async function logEnd(leader: Member) {
  if (!isOurs(leader)) {
    const { state, ...log } = await leader.status();
    return { ...log, leads: state === "Leader" };
  }
  const raft = (await until(`${leader.id} answers`, () => leader.status())).raft;
  if (raft === null) throw new Error("a member has a log");
  const { lastLogIndex: lastIndex, commitIndex, term, role } = raft;
  return { lastIndex, commitIndex, term, leads: role === "leader" };
}

function killMember(member: Member): Promise<void> {
  return isOurs(member) ? kill(member) : member.kill();
}

function textOf(hex: string): string {
  return Buffer.from(hex, "hex").toString();
}
