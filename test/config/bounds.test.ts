/** How short and how long what is waited for may be. */

import { describe, expect, it } from "vitest";
import { allKeys } from "../../src/config/schema.ts";
import { problemLines } from "./load-text.ts";

const member = [
  "--evnode.node.aggregator",
  "--evnode.raft.enable",
  "--evnode.raft.node_id=a",
  "--evnode.raft.raft_addr=0.0.0.0:5001",
];

/** What is said of one key in the file of a member. */
function problemOf(name: string, value: string): string | null {
  const [section = "", key = ""] = name.split(".");
  const lines = problemLines({ args: member, yaml: `${section}:\n  ${key}: ${value}\n` });
  return lines.find((line) => line.startsWith("error:")) ?? null;
}

describe("a duration", () => {
  it.each([
    ["cluster.wait_for_leader_timeout", "-1ns", "is too short; write at least 0s"],
    ["cluster.wait_for_leader_timeout", "700h", "is too long; write at most 24h"],
    ["cluster.commit_retry_delay", "-1s", "is too short; write at least 0s"],
    ["cluster.commit_retry_delay", "24h1ns", "is too long; write at most 24h"],
    ["cluster.tx_commit_timeout", "0", "is too short; write at least 1ms"],
    ["cluster.tx_commit_timeout", "-10s", "is too short; write at least 1ms"],
    ["cluster.tx_commit_timeout", "700h", "is too long; write at most 24h"],
    ["cluster.tx_commit_timeout", "1200h", "is too long; write at most 24h"],
    ["execution.unready_after", "-1s", "is too short; write at least 0s"],
    ["evm.tx_lifetime", "0s", "is too short; write at least 1ms"],
    ["evm.tx_lifetime", "-3h", "is too short; write at least 1ms"],
    ["raft.heartbeat_timeout", "11m", "is above 10m0s; write at most 10m0s"],
    ["raft.election_timeout", "596h40m", "is above 10m0s; write at most 10m0s"],
    ["raft.leader_lease_timeout", "11m", "is above 10m0s; write at most 10m0s"],
    ["raft.send_timeout", "100h", "is above 10m0s; write at most 10m0s"],
    ["raft.rtt_max", "10m", "is above 37.5s; write at most 37.5s"],
    ["node.block_time", "-1s", "must be positive"],
  ])("%s: %s is refused", (name, value, words) => {
    const problem = problemOf(name, value);
    expect(problem).toContain(words);
    expect(problem).toContain("evnode.yaml:2:");
    expect(problem).toContain(name);
  });

  it.each([
    ["cluster.wait_for_leader_timeout", "0s"],
    ["cluster.wait_for_leader_timeout", "24h"],
    ["cluster.commit_retry_delay", "0"],
    ["cluster.tx_commit_timeout", "1ms"],
    ["cluster.tx_commit_timeout", "1.0005s"],
    ["cluster.tx_commit_timeout", "24h"],
    ["execution.unready_after", "0s"],
    ["evm.tx_lifetime", "9000h"],
    ["raft.election_timeout", "10m"],
    ["raft.rtt_max", "37.5s"],
    ["pruning.pruning_interval", "9000h"],
  ])("%s: %s is taken", (name, value) => {
    expect(problemOf(name, value)).toBeNull();
  });

  const withBounds = allKeys.filter(({ type, use }) => type === "duration" && use === "used");

  it.each(withBounds.map(({ name }) => name))("%s cannot be negative where it is used", (name) => {
    const lazy = name === "node.lazy_block_interval" ? ["--evnode.node.lazy_mode"] : [];
    const pruning = name.startsWith("pruning.") ? ["--evnode.pruning.pruning_mode=all"] : [];
    const flag = allKeys.find((key) => key.name === name)?.flag;
    const args = [...member, ...lazy, ...pruning, `${flag}=-1s`];
    const errors = problemLines({ args }).filter((line) => line.startsWith("error:"));
    expect(errors).not.toEqual([]);
  });
});
