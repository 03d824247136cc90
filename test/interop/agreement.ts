/** What all members of a mixed cluster must agree on: the log, entry by entry, and what was applied of it. */

import { join } from "node:path";
import { expect } from "vitest";
import { toHex } from "../../src/base/bytes.ts";
import { decodeBlockPayload } from "../../src/block/codec.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { bootstrapIndex } from "../../src/raft/membership.ts";
import type { EntryKind } from "../../src/raft/types.ts";
import { openRaftStore } from "../../src/storage/open-raft-store.ts";
import { zeroGoTime } from "../../src/transport/go-time.ts";
import { auditChain, type Block } from "../e2e/harness/chain.ts";
import { endCleanly } from "../e2e/harness/cluster.ts";
import type { HashicorpMember, MemberEntry } from "./hashicorp-member.ts";
import type { MixedCluster } from "./mixed-cluster.ts";
import { retried } from "./retried.ts";

/** hashicorp's number of each kind, in order. */
const kinds: readonly EntryKind[] = [
  "command",
  "noop",
  "addPeer",
  "removePeer",
  "barrier",
  "configuration",
];

export interface Agreement {
  /** From height 1. */
  readonly chain: readonly Block[];
  /** Of the members' logs, as far as any of them reaches back. */
  readonly entries: ReadonlyMap<number, MemberEntry>;
}

/**
 * Every member runs and has applied the same committed entries. Ends our nodes, without an error in
 * their logs, and reads what they have on disk.
 */
export async function checkAgreement(cluster: MixedCluster): Promise<Agreement> {
  expect(cluster.running).toEqual(cluster.members);
  const read = () => readQuietly(cluster);
  const { through, chain, foreignLogs } = await retried("the logs stand still", read);
  await endCleanly(cluster.ours);
  const ourLogs = await Promise.all(cluster.ours.nodes.map(memberLogOf));
  const entries = new Map<number, MemberEntry>();
  for (const log of [...foreignLogs, ...ourLogs]) {
    checkWhole(log, through);
    for (const entry of log.entries) {
      if (entry.index <= bootstrapIndex || entry.index > through) continue;
      if (entry.type === kinds.indexOf("command")) {
        // Either kind stamps them, and BoltDB keeps the stamp. Ours stamps nothing else, and Go all that it appends.
        expect(textOf(entry.appendedAt)).not.toBe(toHex(zeroGoTime));
      }
      const known = entries.get(entry.index);
      if (known === undefined) entries.set(entry.index, entry);
      else expect(readable(entry)).toEqual(readable(known));
    }
  }
  return { chain, entries };
}

interface MemberLog {
  readonly id: string;
  readonly entries: readonly MemberEntry[];
  /** A snapshot stands for what is missing up to here; 0 if nothing may be missing. */
  readonly replacedThrough: number;
}

/** It holds every entry from its first one to its end, and all that is committed. */
function checkWhole({ id, entries, replacedThrough }: MemberLog, through: number): void {
  const indexes = entries.map(({ index }) => index);
  expect(indexes.filter((index) => index > bootstrapIndex && index <= through)).not.toEqual([]);
  expect(Math.max(replacedThrough, ...indexes), `${id}'s log ends`).toBeGreaterThanOrEqual(through);
  const whole = indexes.filter((index) => index > replacedThrough);
  const first = replacedThrough === 0 ? (indexes[0] ?? 0) : replacedThrough + 1;
  expect(whole, `${id}'s log`).toEqual(whole.map((_, at) => first + at));
}

/** A snapshot that it was sent leaves older entries in BoltDB, and a gap behind them. */
async function foreignLogOf(member: HashicorpMember): Promise<MemberLog> {
  const { restores, snapshotIndex } = await member.status();
  const replacedThrough = restores > 0 ? snapshotIndex : 0;
  return { id: member.id, entries: await member.log(), replacedThrough };
}

async function memberLogOf(node: LocalNode): Promise<MemberLog> {
  return { id: node.id, entries: await logOf(node), replacedThrough: 0 };
}

/** null if somebody else came to lead meanwhile: one of ours lets the logs grow. */
async function readQuietly(cluster: MixedCluster) {
  const [quiet] = cluster.hashicorp;
  if (quiet === undefined) throw new Error("a mixed cluster has a member in Go");
  // It has nothing to propose.
  await cluster.handOverTo(quiet.id);
  const { term } = await quiet.status();
  const through = await cluster.untilApplied();
  const chain = await auditChain(cluster.ours);
  const foreignLogs = await Promise.all(cluster.hashicorp.map(foreignLogOf));
  for (const member of cluster.hashicorp) await checkStateMachine(member, chain);
  const after = await quiet.status();
  const isQuiet = after.state === "Leader" && after.term === term;
  return isQuiet ? { through, chain, foreignLogs } : null;
}

/** Its state machine was given the blocks that our nodes have stored, at the same places in the log. */
async function checkStateMachine(member: HashicorpMember, chain: readonly Block[]): Promise<void> {
  const { fsm } = await member.status();
  const applied = await member.applied();
  for (const { index, term, data } of applied) {
    const { height, hash } = decodeBlockPayload(data ?? new Uint8Array());
    const block = chain[height - 1];
    if (block === undefined) continue;
    expect(toHex(hash)).toBe(block.hash);
    // A block that came from a peer has no place in the log that its node knows.
    if (block.raft_index === 0) continue;
    expect({ index, term }).toEqual({ index: block.raft_index, term: block.raft_term });
  }
  if (applied.length > 0) expect(applied.map((entry) => textOf(entry.data))).toContain(textOf(fsm));
}

/** What an ended node of ours has on disk. */
export async function logOf(node: LocalNode): Promise<readonly MemberEntry[]> {
  const store = await openRaftStore({
    directory: join(node.place.home, "raft"),
    allowVolatile: true,
  });
  try {
    const { log } = store;
    if (log.lastIndex < log.firstIndex) return [];
    const entries = log.entries(log.firstIndex, log.lastIndex, Number.POSITIVE_INFINITY);
    return entries.map(({ index, term, kind, data, extensions, appendedAt }) => ({
      index,
      term,
      type: kinds.indexOf(kind),
      data: data?.slice() ?? null,
      extensions: extensions?.slice() ?? null,
      appendedAt: (appendedAt ?? zeroGoTime).slice(),
    }));
  } finally {
    await store.close();
  }
}

function readable({ index, term, type, data, extensions, appendedAt }: MemberEntry) {
  return {
    index,
    term,
    type,
    data: textOf(data),
    extensions: textOf(extensions),
    appendedAt: textOf(appendedAt),
  };
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : toHex(bytes);
}
