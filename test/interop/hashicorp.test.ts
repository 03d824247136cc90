/** One cluster with members that run hashicorp/raft: either kind leads, is repaired, is killed, comes back. */

import { describe, expect, it } from "vitest";
import { toHex } from "../../src/base/bytes.ts";
import { decodeBlockPayload } from "../../src/block/codec.ts";
import { decodeStateSnapshot } from "../../src/block/snapshot-codec.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { readBlock } from "../e2e/harness/chain.ts";
import { heightOf, kill, logLines } from "../e2e/harness/cluster.ts";
import { sendTx } from "../e2e/harness/transactions.ts";
import { until } from "../e2e/harness/until.ts";
import { checkAgreement, logOf } from "./agreement.ts";
import { nameAfterOurs, untilEitherKindIsElected } from "./elections.ts";
import type { HashicorpMember } from "./hashicorp-member.ts";
import {
  appliedIndexOf,
  commitIndexOf,
  handOver,
  isOurs,
  type Member,
  MixedCluster,
  type MixedOptions,
  raftOf,
  raftStateOf,
} from "./mixed-cluster.ts";
import { Outcomes } from "./outcomes.ts";
import { hasProgram, needing } from "./programs.ts";
import { retried } from "./retried.ts";

const timeout = 600_000;
/** For a transaction: sooner than it gives up a node that leads no more. */
const timeoutMs = 5_000;

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
      const outcomes = new Outcomes();
      for (const { id } of cluster.members) {
        await retried(`${id} leads, and a block of its has a transaction`, (nth) =>
          commitWhileLeading(cluster, { id, tx: `${id}=leads-${nth}` }, outcomes),
        );
        await grow(cluster, 3);
      }

      // Either kind does as it is asked, and the other takes over without an election timeout.
      const [node, go] = [cluster.node("node-1"), cluster.go("go-1")];
      await retried("go-1 hands over to node-1", () => handOverAsAsked(cluster, go, node));
      await retried("node-1 hands over to go-1", () => handOverAsAsked(cluster, node, go));
      await grow(cluster, 3);

      // Either kind dies while it leads, and comes back with its log to a cluster that went on.
      for (const id of ["go-1", "node-1"]) {
        const leader = await cluster.handOverTo(id);
        await killMember(leader);
        await grow(cluster, 3);
        await leader.start();
        await cluster.untilApplied();
      }

      // Either kind has appended what nobody else has, and finds another entry in its place.
      const tails = [];
      for (const id of ["go-1", "node-1"]) {
        tails.push(await retried(`${id} appends alone`, () => deposeWithTail(cluster, id)));
      }
      expect(logLines(cluster.node("node-1")).join("\n")).toMatch(/clearing log suffix/);

      await Promise.all(cluster.members.map(killMember));
      await Promise.all(cluster.members.map((member) => member.start()));
      await grow(cluster, 3);

      const { chain, entries } = await checkAgreement(cluster);
      outcomes.check(chain);
      for (const { index, term } of tails) {
        expect(entries.get(index)?.term).toBeGreaterThan(term);
      }
    },
  );
});

describe.skipIf(!hasProgram("hashicorp"))(needing("hashicorp", "a bare majority"), () => {
  it.each(shapes)(
    "of $ours of ours, $hashicorp of hashicorp's elects either kind by the other's vote",
    { timeout },
    async (shape) => {
      const cluster = await MixedCluster.start({ ...shape, hashicorpName: nameAfterOurs });
      await untilEitherKindIsElected(cluster);
      await grow(cluster, 3);
      await checkAgreement(cluster);
    },
  );
});

describe.skipIf(!hasProgram("hashicorp"))(needing("hashicorp", "a member that was away"), () => {
  it("is sent a snapshot, by either kind to either kind", { timeout }, async () => {
    const settings = { "raft.snapshot_threshold": "20", "raft.trailing_logs": "5" };
    const cluster = await MixedCluster.start({ ours: 3, hashicorp: 2, settings });
    const [first, second] = [cluster.go("go-1"), cluster.go("go-2")];

    // Ours to theirs. What it restores is our snapshot: an entry, and identities that ev-node skips. As
    // long as nobody has asked go-2 for one, it has the whole log, and sends that if it leads.
    const ours = await retried("go-1 is sent a snapshot by one of ours", async () => {
      await cluster.handOverTo("node-1");
      const grown = () => growByOurs(cluster, cluster.node("node-1"), 60);
      return await restoredAfter(cluster, first, grown);
    });
    await cluster.untilApplied();

    // Theirs to ours: the blocks below it come from a node of ours that has them, and so do the
    // identities of their transactions, which a snapshot of theirs has none of.
    const away = cluster.node("node-3");
    const { tx, height } = await retried("node-3 is sent a snapshot by go-1", (nth) =>
      installedFromGo(cluster, first, away, nth),
    );
    await cluster.untilApplied();

    // Theirs to theirs, once it has ours.
    const theirs = await retried("go-2 is sent a snapshot by go-1", async () => {
      const sent = await restoredAfter(cluster, second, async () => {
        await cluster.produceBy(first, 20);
        await first.snapshot();
        return await first.status();
      });
      // Another leader would have sent its own.
      const { state, term } = await first.status();
      const hasSent = sent?.answer.state === "Leader" && state === "Leader";
      return hasSent && term === sent.answer.term ? sent : null;
    });
    expect(toHex(theirs.restored)).toBe(toHex(theirs.answer.fsm ?? new Uint8Array()));

    expect(await committedOnce(cluster, away, tx)).toBe(height);
    await growByOurs(cluster, away, 5);
    const { chain } = await checkAgreement(cluster);
    for (const { restored } of [ours, theirs]) {
      const { block } = decodeStateSnapshot(restored);
      expect(toHex(block.hash)).toBe(chain[block.height - 1]?.hash);
    }
  });
});

/** The member leads, and the block that it builds has `tx`; null if it was deposed before that was certain. */
async function commitWhileLeading(
  cluster: MixedCluster,
  { id, tx }: { readonly id: string; readonly tx: string },
  outcomes: Outcomes,
): Promise<true | null> {
  const member = await cluster.handOverTo(id);
  if (!isOurs(member)) {
    await cluster.produceBy(member, 1);
    const isCommitted = await cluster.producer.produce(member, [tx]);
    outcomes.add(tx, isCommitted);
    return isCommitted || null;
  }
  const { role, term } = await raftOf(member);
  const answer = await sendTx(member, tx, { timeoutMs });
  outcomes.add(tx, answer.kind === "committed");
  if (answer.kind !== "committed" || role !== "leader") return null;
  return (await readBlock(member, answer.height)).raft_term === term || null;
}

/**
 * `from` leads, is asked once to hand over to `to`, and says that it has, in the term after its own. null if it
 * refuses, or if another election came first.
 */
async function handOverAsAsked(
  cluster: MixedCluster,
  from: Member,
  to: Member,
): Promise<true | null> {
  await cluster.handOverTo(from.id);
  await cluster.untilApplied();
  const before = await raftStateOf(from);
  if (!before.leads || !(await handOver(from, to))) return null;
  if ((await cluster.leader()) !== to) return null;
  return (await raftStateOf(to)).term === before.term + 1 || null;
}

/** The height of the block that has `tx`, which is its own identity; `node` leads when it is sent. */
async function committedOnce(cluster: MixedCluster, node: LocalNode, tx: string): Promise<number> {
  return await until(`${node.id} has ${tx} in a block`, async () => {
    await cluster.handOverTo(node.id);
    const answer = await sendTx(node, tx, { key: tx, timeoutMs });
    return answer.kind === "committed" ? answer.height : null;
  });
}

/**
 * `away` is dead during `meanwhile`, and comes back; the answer of `meanwhile` and what `away` restored, or null if
 * it needed no snapshot to catch up.
 */
async function restoredAfter<T>(
  cluster: MixedCluster,
  away: HashicorpMember,
  meanwhile: () => Promise<T>,
): Promise<{ readonly answer: T; readonly restored: Uint8Array } | null> {
  // One that it was sent before it restores again as it starts.
  const ownRestores = Math.min(1, (await away.status()).restores);
  await away.kill();
  const answer = await meanwhile();
  const index = await commitIndexOf(await cluster.leader());
  await away.start();
  const { restores, restored } = await until(`${away.id} has caught up`, async () => {
    const status = await away.status();
    return status.restores > ownRestores || status.appliedIndex >= index ? status : null;
  });
  return restores > ownRestores && restored !== null ? { answer, restored } : null;
}

/**
 * `away` is dead while a transaction is committed and `leader` shortens its log, and comes back; where that
 * transaction is. null if it was not `leader` that sent it a snapshot.
 */
async function installedFromGo(
  cluster: MixedCluster,
  leader: HashicorpMember,
  away: LocalNode,
  nth: number,
): Promise<{ readonly tx: string; readonly height: number } | null> {
  const installed = new RegExp(`installed remote snapshot leader=${leader.id}`);
  const installs = () => logLines(away).filter((line) => installed.test(line)).length;
  const before = installs();
  await kill(away);
  const tx = `once-${nth}=1`;
  const height = await committedOnce(cluster, cluster.node("node-1"), tx);
  await cluster.produceBy(leader, 1);
  if (!(await cluster.producer.produce(leader, [`a-${nth}=1`]))) return null;
  await cluster.produceBy(leader, 40);
  await leader.snapshot();
  const index = await commitIndexOf(leader);
  await away.start();
  await until(`${away.id} has caught up`, async () => {
    return installs() > before || (await appliedIndexOf(away)) >= index;
  });
  return installs() > before ? { tx, height } : null;
}

/** `count` more blocks, by whoever leads. */
async function grow(cluster: MixedCluster, count: number): Promise<void> {
  let wanted: number | null = null;
  await until(`${count} more blocks`, async () => {
    const leader = await cluster.leader();
    // It may lead no more: then whoever leads goes on.
    if (!isOurs(leader) && !(await cluster.producer.produce(leader))) return false;
    const height = isOurs(leader) ? await heightOf(leader) : await heightOfGo(leader);
    wanted ??= height + count;
    return height >= wanted;
  });
}

/** `count` more blocks on `node`, by ours: a member in Go that leads hands over to it. */
async function growByOurs(cluster: MixedCluster, node: LocalNode, count: number): Promise<true> {
  const wanted = (await heightOf(node)) + count;
  return await until(`${count} more blocks on ${node.id}`, async () => {
    if ((await heightOf(node)) >= wanted) return true;
    if (!isOurs(await cluster.leader())) await cluster.handOverTo(node.id);
    return false;
  });
}

async function heightOfGo(member: HashicorpMember): Promise<number> {
  const { fsm } = await member.status();
  return fsm === null ? 0 : decodeBlockPayload(fsm).height;
}

/**
 * `id` appends while all others are dead, and dies; it comes back to others that went on. What it had
 * appended, or null if it was nothing.
 */
async function deposeWithTail(cluster: MixedCluster, id: string) {
  await cluster.handOverTo(id);
  await grow(cluster, 3);
  const leader = await cluster.leader();
  if (leader.id !== id) return null;
  const tail = await appendAlone(cluster, leader);
  const others = cluster.members.filter((member) => member !== leader);
  // Also where it was deposed before they had to die.
  await Promise.all(cluster.members.map(killMember));
  const isKept = tail !== null && (await hasOnDisk(leader, tail.index));
  await Promise.all(others.map((member) => member.start()));
  await grow(cluster, 3);
  await leader.start();
  await cluster.untilApplied();
  return isKept ? tail : null;
}

/** Ours counts an entry as appended before it is written: killed in between, it has no tail when it is back. */
async function hasOnDisk(killed: Member, index: number): Promise<boolean> {
  return !isOurs(killed) || (await logOf(killed)).some((entry) => entry.index === index);
}

/** null if it cannot be told: a block was under way when the others were killed, or it led no more. */
async function appendAlone(cluster: MixedCluster, leader: Member) {
  const before = await raftStateOf(leader);
  const quiet = await until("the moment after a block", async () => {
    const log = await raftStateOf(leader);
    const isAfter = !isOurs(leader) || log.commitIndex > before.commitIndex;
    return !log.leads || (isAfter && log.lastIndex === log.commitIndex) ? log : null;
  });
  if (!quiet.leads) return null;
  // Before the others are gone, since it asks one of them.
  const block = isOurs(leader) ? null : await cluster.producer.next(leader);
  await Promise.all(cluster.members.filter((member) => member !== leader).map(killMember));
  if ((await raftStateOf(leader)).lastIndex > quiet.lastIndex) return null;
  // It is deposed before a majority has it, and says so.
  if (!isOurs(leader) && block !== null) await expect(leader.apply(block)).rejects.toThrow();
  const { lastIndex, term } = await until(`${leader.id} appends, or leads no more`, async () => {
    const log = await raftStateOf(leader);
    return log.lastIndex > quiet.lastIndex || !log.leads ? log : null;
  });
  return lastIndex > quiet.lastIndex ? { index: lastIndex, term } : null;
}

function killMember(member: Member): Promise<void> {
  return isOurs(member) ? kill(member) : member.kill();
}
