/** A leader that is lost and not replaced is found, from what the nodes say in their logs. */

import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { LocalNode } from "../../src/devnet/local-node.ts";
import { type CycleResult, violationsOf } from "./cycles.ts";
import { electionMs, isUndetected, lossesSince, type Reign } from "./elections.ts";
import { LogReader } from "./log-reader.ts";
import { describeReport } from "./report.ts";

const limitMs = 30_000;
const reign = (nodeId: string, beganMs: number, facts: Partial<Reign> = {}): Reign => ({
  nodeId,
  beganMs,
  firstBlockMs: beganMs + 10,
  endedMs: null,
  ...facts,
});
const faultMs = 1_000;
const first = reign("a", 0);
const deposed = reign("a", 0, { endedMs: 1_500 });

it.each<[string, readonly Reign[], Reign | null, readonly boolean[]]>([
  ["nobody is lost", [first], null, []],
  [
    "who was deposed before the fault is not its business",
    [reign("a", 0, { endedMs: 9 })],
    null,
    [],
  ],
  ["a leader is taken away, and another leads", [first, reign("b", 1_400)], first, [false]],
  ["a leader is taken away, and nobody follows", [first], first, [true]],
  [
    "one is elected and commits nothing",
    [first, reign("b", 1_400, { firstBlockMs: null })],
    first,
    [true],
  ],
  ["one follows too late", [first, reign("b", 32_000)], first, [true]],
  ["a leader steps down, and nobody follows", [deposed], null, [true]],
  ["a leader steps down and is elected again", [deposed, reign("a", 1_700)], null, [false]],
  ["it says so when another leads already", [deposed, reign("b", 1_200)], null, [false]],
  ["it is taken away and says so later", [deposed, reign("b", 1_200)], deposed, [false]],
  [
    "the next is lost as well, and nobody follows that",
    [deposed, reign("b", 1_200, { endedMs: 1_900 })],
    null,
    [false, true],
  ],
])("undetected or not: %s", (_, reigns, takenAway, expected) => {
  const losses = lossesSince(reigns, faultMs, takenAway);
  expect(losses.map((loss) => isUndetected(loss, reigns, limitMs))).toEqual(expected);
});

it("an election lasts from the loss on, whoever wins it", () => {
  const loss = { reign: deposed, atMs: 1_500 };
  expect(electionMs(loss, [deposed])).toBeNull();
  expect(electionMs(loss, [deposed, reign("a", 1_700), reign("b", 1_900)])).toBe(200);
  expect(electionMs(loss, [deposed, reign("b", 1_200)])).toBe(0);
});

it("reads who led from the lines of the nodes", () => {
  const { nodes, say } = logs();
  const reader = new LogReader(nodes);
  const reigns = () => {
    reader.advance();
    return reader.reigns.map(({ nodeId, beganMs, firstBlockMs, endedMs }) => {
      const times = [beganMs, firstBlockMs, endedMs];
      return [nodeId, ...times.map((ms) => (ms === null ? null : new Date(ms).getUTCSeconds()))];
    });
  };
  say("node-2", 1, "INF raft: entering follower state leader=node-1");
  say("node-1", 1, "INF raft: entering leader state leader=node-1");
  expect(reigns()).toEqual([["node-1", 1, null, null]]);
  say("node-1", 2, "INF block produced height=1 hash=0x00");
  say("node-2", 2, "INF block applied from raft log height=1 hash=0x00");
  expect(reigns()).toEqual([["node-1", 1, 2, null]]);
  say(
    "node-1",
    3,
    "WRN raft: failed to contact quorum of nodes, stepping down term=1 silent=node-2",
  );
  say("node-1", 4, 'INF node state changed from=producing to=following reason="another leads"');
  expect(reigns()).toEqual([["node-1", 1, 2, 3]]);
  say("node-2", 5, "INF raft: entering leader state leader=node-2");
  say("node-2", 6, 'INF node state changed from=following to=catchingUp reason="elected"');
  say("node-1", 7, "INF raft: entering follower state leader=node-2");
  say("node-2", 8, 'INF node state changed from=catchingUp to=following reason="another leads"');
  expect(reigns()).toEqual([
    ["node-1", 1, 2, 3],
    ["node-2", 5, null, 8],
  ]);
  say("node-1", 9, "INF raft: entering leader state leader=node-1");
  say("node-2", 10, "INF raft: entering leader state leader=node-2");
  say("node-1", 11, "INF raft: entering follower state leader=node-2");
  expect(reigns().slice(2)).toEqual([
    ["node-1", 9, null, 11],
    ["node-2", 10, null, null],
  ]);
});

it("undetected elections and many skipped cycles are violations, and no figure stands for none", () => {
  const good: CycleResult = {
    fault: "delay",
    victimId: "node-1",
    wasLeader: false,
    what: "late",
    isSkipped: false,
    losses: 0,
    undetected: 0,
    electionMs: null,
    gapMs: 120,
  };
  const run = (bad: Partial<CycleResult>[]) => [
    ...Array<CycleResult>(20 - bad.length).fill(good),
    ...bad.map((facts) => ({ ...good, ...facts })),
  ];
  expect(violationsOf(run([{ isSkipped: true }]))).toEqual([]);
  expect(violationsOf(run([{ isSkipped: true }, { isSkipped: true }]))).toHaveLength(1);
  expect(violationsOf(run([{ losses: 1, undetected: 1 }]))).toHaveLength(1);
  const text = describeReport({
    nodes: 3,
    rttMs: 0,
    farRttMs: 0,
    blockTimeMs: 100,
    seed: 1,
    height: 1,
    acknowledged: 1,
    unanswered: 0,
    registers: { keys: 0, writes: 0, refused: 0, unanswered: 0, reads: 0, staleReads: 0 },
    cycles: run([{ fault: "drop", losses: 1, undetected: 1, electionMs: 70 }]),
    violations: [],
  });
  expect(text).toMatch(/^delay .* 0 leaders lost, undetected elections -; longest election -; /m);
  expect(text).toMatch(/^drop .* 1 leaders lost, undetected elections 1; longest election 70 ms/m);
});

/** Two nodes that only have a log. */
function logs() {
  const directory = mkdtempSync(join(tmpdir(), "evm-logs-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const place = { host: "", raftPort: 0, rpcPort: 0, metricsPort: 0, p2pPort: 0, passphrase: "" };
  const nodes = ["node-1", "node-2"].map((id) => {
    writeFileSync(join(directory, `${id}.log`), "");
    return Object.assign(new LocalNode({ ...place, id, home: directory }, []), {
      logFile: join(directory, `${id}.log`),
    });
  });
  const say = (id: string, seconds: number, text: string) => {
    const time = new Date(seconds * 1000).toISOString();
    appendFileSync(join(directory, `${id}.log`), `${time} ${text}\n`);
  };
  return { nodes, say };
}
