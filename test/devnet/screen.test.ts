/** What a devnet shows: on a terminal, in a log. */

import { describe, expect, it } from "vitest";
import { LatencyHistogram, quantileOf } from "../../src/devnet/latency.ts";
import { Screen } from "../../src/devnet/screen.ts";
import { type DevnetFacts, statusLine, table } from "../../src/devnet/view.ts";

function status(role: string, state: string, height: number) {
  const raft = {
    role,
    state,
    term: 4,
    leaderId: "node-1",
    commitIndex: 9,
    appliedIndex: 9,
    lastLogIndex: 9,
  };
  return { height, hash: "aa", raft };
}

const facts: DevnetFacts = {
  cluster: {
    nodes: [
      {
        id: "node-1",
        rpcAddress: "127.0.0.1:20001",
        isRunning: true,
        status: status("leader", "producing", 1234567),
      },
      {
        id: "node-2",
        rpcAddress: "127.0.0.1:20005",
        isRunning: true,
        status: status("follower", "recovering", 1234500),
      },
      { id: "node-3", rpcAddress: "127.0.0.1:20009", isRunning: false, status: null },
    ],
    height: 1234567,
    leaderId: "node-1",
    term: 4,
  },
  load: { accepted: 1_000_000, failed: 12, waiting: 5000, p50Ms: 1.23, p99Ms: 12345.6 },
  gaps: { kills: 1000, p50Ms: 123.4, p95Ms: 12345, maxMs: 30000 },
};

describe("the table", () => {
  it("fits 80 columns", () => {
    expect(table(facts, false)).toMatchInlineSnapshot(`
      [
        "",
        "NODE    ROLE                     TERM    HEIGHT    LAG  RPC",
        "node-1  leader                      4   1234567      0  127.0.0.1:20001",
        "node-2  follower (recovering)       4   1234500     67  127.0.0.1:20005",
        "node-3  down                        -         -      -  127.0.0.1:20009",
        "",
        "load   1000000 accepted, 12 failed, 5000 waiting; p50 1.2 ms, p99 12346 ms",
        "kills  1000; gap between blocks p50 123 ms, p95 12345 ms, max 30000 ms",
      ]
    `);
    for (const line of table(facts, false)) expect(line.length).toBeLessThan(80);
  });

  it("is one line in a log", () => {
    expect(statusLine(facts)).toBe(
      "height=1234567 term=4 node-1=leader node-2=follower-67 node-3=down accepted=1000000 failed=12 kills=1000",
    );
  });
});

function terminal(isInteractive: boolean, columns = 80) {
  const written: string[] = [];
  const screen = new Screen({
    write: (text) => written.push(text),
    isInteractive,
    hasColor: false,
    size: () => ({ columns, rows: 24 }),
  });
  return { screen, written };
}

describe("Screen", () => {
  it("draws the table over itself, in one write, with what is said above it", () => {
    const { screen, written } = terminal(true);
    screen.draw(["a", "b"]);
    screen.print("news");
    screen.draw(["c"]);
    screen.leaveTable();
    screen.print("end");
    expect(written).toEqual([
      "\ra\x1b[K\nb\x1b[K\n\x1b[J",
      "\x1b[2A\rnews\x1b[K\na\x1b[K\nb\x1b[K\n\x1b[J",
      "\x1b[2A\rc\x1b[K\n\x1b[J",
      "\rend\x1b[K\n\x1b[J",
    ]);
  });

  it("cuts what would wrap", () => {
    const { screen, written } = terminal(true, 6);
    screen.draw(["\x1b[1m123456789\x1b[22m"]);
    expect(written).toEqual(["\r12345\x1b[K\n\x1b[J"]);
  });

  it("writes plain lines where there is no terminal", () => {
    const { screen, written } = terminal(false);
    screen.draw(["a"]);
    screen.print("one\ntwo");
    expect(written).toEqual(["one\ntwo\n"]);
  });
});

describe("quantiles", () => {
  it("are exact of few values, and within 2% of many", () => {
    expect(quantileOf([3, 1, 2], 0.5)).toBe(2);
    expect(quantileOf([3, 1, 2], 0.95)).toBe(3);
    expect(quantileOf([], 0.5)).toBe(null);
    const histogram = new LatencyHistogram();
    expect(histogram.quantile(0.5)).toBe(null);
    for (let value = 1; value <= 1000; value++) histogram.record(value);
    expect(Math.abs((histogram.quantile(0.99) ?? 0) / 990 - 1)).toBeLessThan(0.02);
  });
});
