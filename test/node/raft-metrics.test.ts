/** What the consensus thread measured, as the metrics show it. */

import { expect, it } from "vitest";
import type { Measurements } from "../../src/consensus/messages.ts";
import { waitingStatus } from "../../src/consensus/startup.ts";
import { RaftMetrics } from "../../src/node/raft-metrics.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { createMetrics } from "../../src/observability/metrics.ts";
import { Narrator } from "../../src/observability/narrate.ts";

const metrics = createMetrics({ namespace: "evnode", chainId: "c", nodeId: "a", version: "test" });
const log = createLogger({ level: "error", format: "text" });
const narrator = new Narrator({ nodeId: "a", blockTimeMs: 1000 }, { log, metrics });
const timeouts = { heartbeatTimeoutMs: 100, electionTimeoutMs: 400, leaderLeaseTimeoutMs: 50 };
const reporter = new RaftMetrics(timeouts, { metrics, narrator, log });

/** A report while b is known since it once answered in 5 ms. */
const report = (roundTripsMs: Measurements["roundTripsMs"]): Measurements => ({
  status: waitingStatus("a"),
  waitsFor: null,
  peers: [
    {
      id: "b",
      isConnected: false,
      silentMs: null,
      smoothedRttMs: 5,
      lastError: null,
      sentBytes: 0,
      receivedBytes: 0,
    },
  ],
  fsyncSeconds: [],
  commitSeconds: [],
  roundTripsMs,
  slowDisk: null,
  loopDelay: { p50Ms: 0, p99Ms: 0, maxMs: 0 },
});

async function observed(): Promise<string | undefined> {
  const lines = (await metrics.render()).split("\n");
  const count = lines.find((line) =>
    line.startsWith("evnode_raft_peer_round_trip_time_seconds_count"),
  );
  return count?.split(" ").at(-1);
}

it("of several reports between two scrapes the worst delay of the event loop is shown, once", async () => {
  const shown = async () => {
    const lines = (await metrics.render()).split("\n");
    const labels = ['thread="consensus"', 'stat="max"'];
    const line = lines.find((text) => labels.every((label) => text.includes(label)));
    return Number(line?.split(" ").at(-1));
  };
  await shown();
  for (const maxMs of [2, 700, 3]) {
    const loopDelay = { p50Ms: 1, p99Ms: 2, maxMs };
    reporter.record({ ...report(new Map()), loopDelay }, 0);
  }
  expect([await shown(), await shown()]).toEqual([0.7, 0]);
});

it("a follower's leader that is silent is not healthy", async () => {
  const healths = async (leaderSilentMs: number) => {
    const measured = report(new Map());
    const status = { ...measured.status, leaderId: "b", leaderSilentMs };
    reporter.record({ ...measured, status }, 0);
    const [, health] =
      /evnode_raft_peer_health\{.*health="(\w+)".*\} 1$/m.exec(await metrics.render()) ?? [];
    return health;
  };
  expect(await healths(99)).toBe("healthy");
  expect(await healths(100)).toBe("degraded");
  expect(await healths(400)).toBe("unreachable");
});

it("a round trip is observed once, however often is reported after it", async () => {
  reporter.record(report(new Map([["b", [5, 6, 7]]])), 0);
  expect(await observed()).toBe("3");
  for (let nth = 0; nth < 10; nth++) reporter.record(report(new Map([["b", []]])), 0);
  expect(await observed()).toBe("3");
  reporter.record(report(new Map()), 0);
  expect(await observed()).toBe("3");
});
