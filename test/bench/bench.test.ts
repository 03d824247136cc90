/** That the benchmark itself works: it runs, measures what it says, and counts right. What it finds is not judged. */

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { figure } from "../../bench/figure.ts";
import { etcdVersion } from "../../bench/peers/etcd.ts";
import { hasGo } from "../../bench/peers/go-program.ts";
import { tableOf } from "../../bench/report.ts";
import { callsIn } from "../../bench/sync-calls.ts";
import { hasGeth, needingGeth } from "../geth/binary.ts";

const run = promisify(execFile);
const main = join(import.meta.dirname, "..", "..", "bench", "main.ts");
const workDir = mkdtempSync(join(tmpdir(), "bench-test-"));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

const bench = (...options: readonly string[]) =>
  run(process.execPath, [main, "--smoke", "--json", "--dir", workDir, ...options]);

it("measures latency beside its floor, and failovers, and leaves nothing behind", async () => {
  const { stdout } = await bench("--only", "latency,failover");
  const report = JSON.parse(stdout);
  expect(report.machine).toMatchObject({ node: process.version });
  const names = report.figures.map(({ name }: { name: string }) => name);
  expect(names).toEqual([
    "one in flight, 512 B",
    "one in flight, 10 KB",
    "one in flight, 100 KB",
    "one in flight, 1 MB",
    "kill -9 of the leader: acknowledged",
    "kill -9 of the leader: seen by a follower",
    "hand-over on SIGTERM: acknowledged",
    "hand-over on SIGTERM: seen by a follower",
  ]);
  for (const { p50, p99, floor } of report.figures) {
    expect(p50).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
    if (floor !== null) expect(floor.ratio).toBeCloseTo(p50 / floor.p50);
  }
  expect(readdirSync(workDir).filter((name) => !name.endsWith(".json"))).toEqual([]);
}, 120_000);

const hasPeers = await hasGo();
let comparedWith: readonly string[] = [];

it.skipIf(!hasPeers)(
  "does the same work with hashicorp/raft, and with etcd where it is installed, near and far (needs Go)",
  async () => {
    const { figures, comparisons, notes } = JSON.parse((await bench("peers")).stdout);
    expect(figures).toEqual([]);
    const peers = (await etcdVersion()) !== null ? ["hashicorp", "etcd"] : ["hashicorp"];
    if (peers.length === 1) expect(notes).toContainEqual(expect.stringContaining("etcd-server"));
    const workOn = (network: string) =>
      comparisons
        .filter((comparison: { network: string }) => comparison.network === network)
        .map(({ work }: { work: string }) => work);
    expect(workOn("loopback")).toHaveLength(15);
    expect(workOn("slow")).toEqual(workOn("loopback"));
    for (const { ours, theirs } of comparisons) {
      expect(theirs.map(({ name }: { name: string }) => name)).toEqual(peers);
      for (const their of theirs) expect(their.ratio).toBeCloseTo(ours.p50 / their.p50);
    }
    comparedWith = peers;
    const far = comparisons.find(
      ({ network, work }: { network: string; work: string }) =>
        network === "slow" && work === "one in flight, 512 B",
    );
    // There and back, whoever commits.
    for (const { p50 } of [far.ours, ...far.theirs]) expect(p50).toBeGreaterThanOrEqual(20);
  },
  900_000,
);

it.skipIf(!hasPeers || (await etcdVersion()) === null)(
  "does it with etcd (needs etcd-server)",
  () => {
    expect(comparedWith).toContain("etcd");
  },
);

it.skipIf(!hasGeth())(
  needingGeth(
    "takes a block with geth to pieces: the client's calls, the commit, and what else is ours",
  ),
  async () => {
    const { figures } = JSON.parse((await bench("engine")).stdout);
    expect(figures).toHaveLength(3 * 7);
    const p50 = (part: string) =>
      figures.find(({ name }: { name: string }) => name === `100 transfers, ${part}`).p50;
    for (const part of ["getPayload", "newPayload", "forkchoice", "ours, commit included"]) {
      expect(p50(part)).toBeGreaterThan(0);
      expect(p50(part)).toBeLessThan(p50("due to executed"));
    }
    expect(p50("propose and commit")).toBeGreaterThan(0);
  },
  300_000,
);

it("says what is wrong with its arguments", async () => {
  const failed = await bench("--only", "speed").catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 64, stderr: expect.stringContaining('no section "speed"') });
});

it("takes percentiles by the nearest rank", () => {
  const samples = Array.from({ length: 200 }, (_, at) => 200 - at);
  const floor = { name: "nothing", samples: [1, 50, 99] };
  const { p50, p95, p99, max, floor: beside } = figure("s", "n", "ms", samples, floor);
  expect({ p50, p95, p99, max }).toEqual({ p50: 100, p95: 190, p99: 198, max: 200 });
  expect(beside).toEqual({ name: "nothing", p50: 50, ratio: 2 });
});

it("prints a row a figure", () => {
  const table = tableOf([figure("catch-up", "all", "per s", [12_345.6])]);
  expect(table.split("\n")).toHaveLength(3);
  expect(table).toContain("catch-up: all  12,346");
});

it("reads the table of strace", () => {
  const table = [
    "% time     seconds  usecs/call     calls    errors syscall",
    "------ ----------- ----------- --------- --------- ----------------",
    " 98.70    0.411872         137      3000           fdatasync",
    "  1.30    0.005433          54       100         3 fsync",
    "------ ----------- ----------- --------- --------- ----------------",
    "100.00    0.417305         134      3100         3 total",
  ].join("\n");
  expect(callsIn(table)).toBe(3100);
});
