/** A devnet in words: the welcome, the table, the line for a log, the summary. Pure. */

import { type StyleText, styles } from "./styles.ts";
import { type ClusterView, lagOf, type NodeView } from "./watch.ts";

export interface LoadFacts {
  readonly accepted: number;
  readonly failed: number;
  readonly waiting: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface GapFacts {
  readonly kills: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly maxMs: number | null;
}

export interface DevnetFacts {
  readonly cluster: ClusterView;
  /** null without a load. */
  readonly load: LoadFacts | null;
  /** null if no leader is killed. */
  readonly gaps: GapFacts | null;
}

export interface WelcomeFacts {
  /** As short as it can be written. */
  readonly directory: string;
  readonly nodeCount: number;
  readonly blockTime: string;
  readonly rpcUrl: string;
}

export function welcome(facts: WelcomeFacts, hasColor: boolean): string {
  const { directory, nodeCount, blockTime, rpcUrl } = facts;
  const { bold } = styles(hasColor);
  const nodes = nodeCount === 1 ? "1 node" : `${nodeCount} nodes`;
  const rows = [
    ["homes", `${directory}/node-1 and so on; chain devnet, a signer for all`],
    ["logs", `tail -f ${directory}/node-*/node.log`],
    ["send", `curl -d hello=world ${rpcUrl}/tx`],
    ["read", `curl ${rpcUrl}/state/hello`],
    ["watch", `curl ${rpcUrl}/status`],
    ["stop", "Ctrl-C"],
  ];
  return [
    bold(`ev-sequencer devnet: ${nodes} on this machine, a block every ${blockTime}`),
    "",
    ...rows.map(([name = "", text = ""]) => `  ${bold(name.padEnd(6))} ${text}`),
    "",
  ].join("\n");
}

export function table(facts: DevnetFacts, hasColor: boolean): readonly string[] {
  const { cluster, load, gaps } = facts;
  const style = styles(hasColor);
  const idWidth = Math.max(4, ...cluster.nodes.map(({ id }) => id.length));
  const header = row(idWidth, ["NODE", "ROLE", "TERM", "HEIGHT", "LAG", "RPC"]);
  const lines = ["", style.bold(header)];
  for (const node of cluster.nodes) {
    const { status } = node;
    const line = row(idWidth, [
      node.id,
      roleOf(node),
      dash(status?.raft?.term),
      dash(status?.height),
      dash(lagOf(cluster, node)),
      node.rpcAddress,
    ]);
    lines.push(styleOf(node, style)(line));
  }
  if (load !== null || gaps !== null) lines.push("");
  if (load !== null) lines.push(`load   ${loadText(load)}`);
  if (gaps !== null) lines.push(`kills  ${gapText(gaps)}`);
  return lines;
}

/** The same in one line, for a log. */
export function statusLine({ cluster, load, gaps }: DevnetFacts): string {
  const nodes = cluster.nodes.map((node) => {
    const lag = lagOf(cluster, node) ?? 0;
    return `${node.id}=${roleOf(node).replace(/ .*/, "")}${lag > 0 ? `-${lag}` : ""}`;
  });
  const parts = [`height=${cluster.height}`, `term=${cluster.term}`, ...nodes];
  if (load !== null) parts.push(`accepted=${load.accepted}`, `failed=${load.failed}`);
  if (gaps !== null) parts.push(`kills=${gaps.kills}`);
  return parts.join(" ");
}

export function loadText({ accepted, failed, waiting, p50Ms, p99Ms }: LoadFacts): string {
  return (
    `${accepted} accepted, ${failed} failed, ${waiting} waiting; ` +
    `p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}`
  );
}

export function gapText({ kills, p50Ms, p95Ms, maxMs }: GapFacts): string {
  return `${kills}; gap between blocks p50 ${ms(p50Ms)}, p95 ${ms(p95Ms)}, max ${ms(maxMs)}`;
}

/** What it does, if that is not what its role says. */
function roleOf({ isRunning, status }: NodeView): string {
  if (!isRunning) return "down";
  if (status === null) return "starting";
  if (status.raft === null) return "single";
  const { role, state } = status.raft;
  return state === "following" || state === "producing" ? role : `${role} (${state})`;
}

function styleOf({ isRunning, status }: NodeView, { green, red, dim }: StyleText) {
  if (!isRunning) return red;
  if (status === null) return dim;
  return status.raft?.role === "leader" ? green : (text: string) => text;
}

/** 71 columns with `node-1` and a loopback address. */
function row(idWidth: number, cells: readonly [string, string, string, string, string, string]) {
  const [id, role, term, height, lag, rpc] = cells;
  return [
    id.padEnd(idWidth),
    role.padEnd(21),
    term.padStart(6),
    height.padStart(8),
    lag.padStart(5),
    rpc,
  ].join("  ");
}

function dash(value: number | null | undefined): string {
  return value === null || value === undefined ? "-" : String(value);
}

function ms(value: number | null): string {
  return value === null ? "-" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
