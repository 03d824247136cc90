/** P7: nothing is acknowledged before it is on the disk, seen from outside a whole node, by its system calls. */

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defined } from "../../src/base/assert.ts";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { evm } from "../cli/evm.ts";
import { readBlock } from "./harness/chain.ts";
import { endCleanly, producingLeader, startCluster } from "./harness/cluster.ts";
import { hasStrace, type SystemCall, trace } from "./harness/strace.ts";
import { sendTx } from "./harness/transactions.ts";
import { until } from "./harness/until.ts";

const settings = {
  "node.block_time": "200ms",
  // A traced node is slow, and a machine stands still for seconds: that must not make anybody else
  // the leader while it is watched, nor have the reply to an entry go by another connection.
  "raft.heartbeat_timeout": "5s",
  "raft.election_timeout": "5s",
  "raft.leader_lease_timeout": "2500ms",
  "raft.send_timeout": "2s",
};
const count = 8;

interface Traced {
  readonly marker: string;
  readonly height: number;
}

describe.skipIf(!hasStrace)("what a node acknowledges is durable (needs strace)", () => {
  it.each([1, 3])(
    "on a majority of %d when a client is answered",
    { timeout: 300_000 },
    async (nodeCount) => {
      const cluster = await startCluster({ nodeCount, settings });
      const leader = await producingLeader(cluster);
      const stops = await Promise.all(cluster.nodes.map(trace));
      const sent = await sendMarked(leader);
      const traces = await Promise.all(stops.map((stop) => stop()));
      const calls = defined(traces[cluster.nodes.indexOf(leader)], "each node is traced");
      for (const { marker } of sent) {
        const asked = defined(calls.find(isRequestWith(marker)), "the request is in the trace");
        const answered = calls.find((call) => isAnswerTo(asked, call));
        const { beganAtUs } = defined(answered, "the answer is in the trace");
        const holders = traces.filter((trace) => isDurableBefore(trace, marker, beganAtUs));
        expect(holders.length, "disks that have it").toBeGreaterThan(nodeCount / 2);
      }
      await endCleanly(cluster);
    },
  );

  it("when a follower acknowledges an entry to the leader", { timeout: 300_000 }, async () => {
    const cluster = await startCluster({ settings });
    const leader = await producingLeader(cluster);
    const follower = defined(
      cluster.nodes.find((node) => node !== leader),
      "a cluster of three has a follower",
    );
    const stop = await trace(follower);
    const sent = await sendMarked(leader);
    // The other follower may have been enough for the commit: this one's reply is waited for.
    const last = defined(sent.at(-1), "something was sent");
    const { raft_index: lastIndex } = await readBlock(leader, last.height);
    await until("the traced follower has acknowledged", () =>
      hasAcknowledged(leader, follower.id, lastIndex),
    );
    const calls = await stop();
    for (const { marker, height } of sent) {
      const { raft_index: index } = await readBlock(leader, height);
      const appended = calls.find((call) => isRead(call) && call.text.includes(marker));
      const { file, beganAtUs } = defined(appended, "the entry arrives in the trace");
      // A success says which entry was the last one before it (hashicorp): the one before this.
      const acknowledged = calls.find(
        (call) =>
          !isRead(call) &&
          call.file === file &&
          call.beganAtUs > beganAtUs &&
          lastLogsIn(call).some((last) => last >= index - 1),
      );
      expect(defined(acknowledged, "the reply is in the trace").beganAtUs).toBeGreaterThan(
        defined(durableAtUs(calls, marker), "the entry's write is in the trace"),
      );
    }
    await endCleanly(cluster);
  });

  it("when a follower grants its vote", { timeout: 300_000 }, async () => {
    const cluster = await startCluster({ settings });
    const leader = await producingLeader(cluster);
    const [voter, candidate] = cluster.nodes.filter((node) => node !== leader);
    const traced = defined(voter, "a cluster of three has a follower");
    const stop = await trace(traced);
    await handOver(leader, defined(candidate, "and another").id);
    // Elected by the old leader's vote or by this one: sent it is in any case.
    await until("the voter follows", async () => {
      const status = await traced.status();
      return status?.raft?.leaderId === candidate?.id;
    });
    const calls = await stop();
    const asked = calls.find((call) => isRead(call) && call.text.includes("LeadershipTransfer"));
    const { file, beganAtUs } = defined(asked, "the request is in the trace");
    const granted = calls.find(
      (call) =>
        !isRead(call) &&
        call.file === file &&
        call.beganAtUs > beganAtUs &&
        unescapeC(call.text).includes("Granted\u00c3"),
    );
    expect(defined(granted, "the grant is in the trace").beganAtUs).toBeGreaterThan(
      defined(
        // What else is written meanwhile names no member.
        durableAtUs(calls, defined(candidate, "and another").id, beganAtUs),
        "the vote's write is in the trace",
      ),
    );
    await endCleanly(cluster);
  });
});

const clusterSchema = z.object({
  nodes: z.array(z.object({ id: z.string(), matchIndex: z.number().nullable() })),
});

/** Whether the leader counts `followerId` for the entry at `index`. */
async function hasAcknowledged(leader: LocalNode, followerId: string, index: number) {
  const answer = await leader.get("/cluster");
  if (answer === null) return false;
  const { nodes } = clusterSchema.parse(answer.body);
  return (nodes.find(({ id }) => id === followerId)?.matchIndex ?? 0) >= index;
}

/** As an operator does it; resolves once another leads. */
async function handOver({ place }: LocalNode, targetId: string): Promise<void> {
  const args = ["cluster", "transfer-leader", targetId, `--home=${place.home}`];
  const { exitCode, stderr } = await evm([...args, "--rpc", `${place.host}:${place.rpcPort}`]);
  if (exitCode !== 0) throw new Error(`not handed over: ${stderr}`);
}

/** Transactions that are found in a trace by their text, several times over in case a page ends within it. */
async function sendMarked(node: LocalNode): Promise<Traced[]> {
  const sent: Traced[] = [];
  for (let nth = 0; nth < count; nth++) {
    const marker = `marker-${nth}-`;
    const answer = await sendTx(node, `traced-${nth}=${marker.repeat(5)}`);
    if (answer.kind !== "committed") throw new Error(`not committed: ${JSON.stringify(answer)}`);
    sent.push({ marker, height: answer.height });
  }
  return sent;
}

/** Whether the log on this node's disk had `marker` before `atUs`. */
function isDurableBefore(calls: readonly SystemCall[], marker: string, atUs: number): boolean {
  const durableUs = durableAtUs(calls, marker);
  return durableUs !== null && durableUs < atUs;
}

/** When the first log write after `afterUs` with `marker` is durable: its pages, fdatasync, then LMDB's meta page. null if none is in the trace. */
function durableAtUs(calls: readonly SystemCall[], marker: string, afterUs = 0): number | null {
  const written = onLog(calls).find(
    (call) => isWrite(call) && call.beganAtUs > afterUs && call.text.includes(marker),
  );
  return written === undefined ? null : syncedAtUs(calls, written.endedAtUs);
}

/** The end of the first fdatasync after `afterUs`, and of the meta page that LMDB writes then. */
function syncedAtUs(calls: readonly SystemCall[], afterUs: number): number | null {
  const after = (us: number, isIt: (call: SystemCall) => boolean) =>
    onLog(calls).find((call) => call.beganAtUs > us && isIt(call));
  const synced = after(afterUs, (call) => call.name === "fdatasync");
  if (synced === undefined) return null;
  return after(synced.endedAtUs, isWrite)?.endedAtUs ?? null;
}

function onLog(calls: readonly SystemCall[]): readonly SystemCall[] {
  return calls.filter((call) => call.file.endsWith("/raft.mdb"));
}

function isWrite({ name }: SystemCall): boolean {
  return name === "pwrite64" || name === "writev" || name === "pwritev";
}

function isRead({ name, file }: SystemCall): boolean {
  return (name === "read" || name === "recvfrom") && file.startsWith("socket:");
}

function isRequestWith(marker: string): (call: SystemCall) => boolean {
  return (call) => isRead(call) && call.text.includes("POST /tx") && call.text.includes(marker);
}

function isAnswerTo(request: SystemCall, call: SystemCall): boolean {
  const isLater = call.file === request.file && call.beganAtUs > request.beganAtUs;
  return isLater && !isRead(call) && call.text.includes("HTTP/1.1 200");
}

/** `LastLog` of the AppendEntries replies in a write: a msgpack number behind the name. */
function lastLogsIn({ text }: SystemCall): number[] {
  const bytes = unescapeC(text);
  const name = "LastLog";
  const found: number[] = [];
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
    const first = at + name.length;
    const tag = bytes.charCodeAt(first);
    if (tag < 0x80) found.push(tag);
    else if (tag === 0xcc) found.push(bytes.charCodeAt(first + 1));
    else if (tag === 0xcd) {
      found.push(bytes.charCodeAt(first + 1) * 256 + bytes.charCodeAt(first + 2));
    }
  }
  return found;
}

/** strace shows bytes as C does: `\n`, `\0`, `\240`. */
function unescapeC(text: string): string {
  const named: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", v: "\v", f: "\f" };
  return text.replace(/\\([0-7]{1,3}|.)/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (named[code] ?? code),
  );
}
