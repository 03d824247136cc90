/** A cluster in words: the sum of it, and the table of its members. Pure. */

import { majorityOf } from "../raft/quorum.ts";
import {
  type Asked,
  type Cluster,
  type ClusterAnswer,
  hasAnswered,
  type Member,
} from "./ask-cluster.ts";

export interface ClusterSum {
  readonly leaderId: string | null;
  readonly term: number;
  readonly commitIndex: number;
  /** Of those who vote. */
  readonly members: number;
  readonly healthy: number;
  readonly majority: number;
  /** Healthy members that may fail before blocks stop. */
  readonly tolerates: number;
  /** Whether all that answered name the same leader. */
  readonly agree: boolean;
  readonly asked: readonly (
    | { readonly address: string; readonly leaderId: string | null; readonly term: number }
    | { readonly address: string; readonly problem: string }
  )[];
}

/** `view` is the answer to believe, one of `asked`. */
export function sumUp(asked: readonly Asked[], { cluster }: ClusterAnswer): ClusterSum {
  const voters = cluster.nodes.filter(({ suffrage }) => suffrage === "voter");
  const healthy = voters.filter(({ health }) => health === "Healthy").length;
  const majority = majorityOf(voters.length);
  const { leaderId, term, commitIndex } = cluster;
  return {
    leaderId,
    term,
    commitIndex,
    members: voters.length,
    healthy,
    majority,
    tolerates: Math.max(0, healthy - majority),
    agree: new Set(asked.filter(hasAnswered).map((answer) => answer.cluster.leaderId)).size === 1,
    asked: asked.map((one) => {
      if (!hasAnswered(one)) return { address: one.address, problem: one.reason };
      return { address: one.address, leaderId: one.cluster.leaderId, term: one.cluster.term };
    }),
  };
}

/**
 * Of several answers: the latest that knows a leader, for one who is cut off knows none, or an old one. Of one term: the
 * leader's own, who alone knows how far the others are. A node tells that one, unless it cannot reach the leader.
 */
export function latestView(answers: readonly [ClusterAnswer, ...ClusterAnswer[]]): ClusterAnswer {
  return answers.reduce((best, one) => (isBetter(one.cluster, best.cluster) ? one : best));
}

function isBetter(one: Cluster, other: Cluster): boolean {
  const termOf = ({ leaderId, term }: Cluster) => (leaderId === null ? -1 : term);
  const knownOf = ({ nodes }: Cluster) => nodes.filter((node) => node.matchIndex !== null).length;
  return (termOf(one) - termOf(other) || knownOf(one) - knownOf(other)) > 0;
}

export function formatSum(sum: ClusterSum): string {
  const { leaderId, term, commitIndex, members, healthy, majority, tolerates, agree, asked } = sum;
  const count = asked.filter((one) => "leaderId" in one).length;
  const failures = tolerates === 1 ? "one more failure" : `${tolerates || "no"} more failures`;
  const rows = [
    ["leader", leaderId ?? "none is known"],
    ["term", String(term)],
    ["commit index", String(commitIndex)],
    ["members", `${healthy} of ${members} healthy; a majority is ${majority}`],
    ["tolerates", failures],
    ["asked", `${count} of ${asked.length} answered${agree ? "" : ", and name different leaders"}`],
  ];
  const lines = rows.map(([name = "", text = ""]) => `${name.padEnd(12)}  ${text}`);
  const named = asked.map((one) => {
    if ("problem" in one) return `  ${one.address} ${one.problem}`;
    return `  ${one.address} says ${one.leaderId ?? "that it knows no leader"}, term ${one.term}`;
  });
  return [...lines, ...(agree && count === asked.length ? [] : named)].join("\n");
}

type Cells = readonly [string, string, string, string, string, string, string, string];

const heading: Cells = [
  "NODE",
  "ADDRESS",
  "ROLE",
  "HEALTH",
  "RTT",
  "MATCH",
  "HEIGHT",
  "LAST HEARTBEAT",
];

/** Numbers stand below one another by their last digit. */
const isNumeric = [false, false, false, false, true, true, true, false];

export function formatMembers(members: readonly Member[]): string {
  const rows = [heading, ...members.map(cellsOf)];
  const widths = heading.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => {
          const width = widths[at] ?? 0;
          return isNumeric[at] ? cell.padStart(width) : cell.padEnd(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function cellsOf(member: Member): Cells {
  const { id, address, role, suffrage, health, rttMs, matchIndex, height, lastHeartbeat } = member;
  return [
    id,
    address,
    suffrage === "voter" ? role : `${role} (${suffrage})`,
    health,
    rttMs === null ? "-" : `${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)} ms`,
    dash(matchIndex),
    dash(height),
    dash(lastHeartbeat),
  ];
}

function dash(value: number | string | null): string {
  return value === null ? "-" : String(value);
}
