/** A home with a chain in it, copies of it to spoil, and a fingerprint of what is on its disk. */

import { createHash } from "node:crypto";
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { LocalCluster } from "../../../src/devnet/local-cluster.ts";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { until } from "../../e2e/harness/until.ts";

/** Nodes to be killed with the test file, whatever becomes of it. */
const running = new Set<LocalNode>();

export async function killAll(): Promise<void> {
  await Promise.all([...running].map((node) => node.stop(0)));
}

export interface Folder {
  readonly path: string;
  readonly remove: () => void;
}

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "evm-bad-input-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** In lazy mode a chain stands still unless it is given transactions: its last block is known. */
export const lazy = {
  "node.lazy_mode": "true",
  "node.lazy_block_interval": "1h",
  "node.block_time": "10ms",
} as const;

/** A cluster of one whose chain has these transactions, each in a block of its own; stopped. */
export async function stoppedChain(
  directory: string,
  txs: readonly string[],
  options: { readonly chainId?: string } = {},
): Promise<LocalNode> {
  const cluster = await LocalCluster.create({
    directory,
    nodeCount: 1,
    settings: lazy,
    ...options,
  });
  const node = cluster.node("node-1");
  await node.start();
  running.add(node);
  for (const tx of txs) await commit(node, tx);
  const { code } = await node.stop(25_000);
  if (code !== 0) throw new Error(`the sample chain's node ended with ${code}`);
  return node;
}

/** The height of the block that has `tx`; waits for the node to take it. */
export async function commit(node: LocalNode, tx: string): Promise<number> {
  const probe = () => tryCommit(node, tx);
  return until(`${node.id} commits ${tx.slice(0, 40)}`, probe, { limitMs: 45_000 });
}

/** null if it was not taken, or the node does not answer. */
export async function tryCommit(node: LocalNode, tx: string): Promise<number | null> {
  try {
    const response = await fetch(`${node.rpcUrl}/tx`, {
      method: "POST",
      body: tx,
      signal: AbortSignal.timeout(10_000),
    });
    const answer: unknown = await response.json();
    const isTaken = response.status === 200 && typeof answer === "object" && answer !== null;
    return isTaken && "height" in answer ? Number(answer.height) : null;
  } catch {
    return null;
  }
}

export function copyHome(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  rmSync(join(to, "node.log"), { force: true });
}

/** Path and content of everything that a node keeps; not its locks and its log. */
export function fingerprint(home: string): string {
  const hash = createHash("sha256");
  const visit = (directory: string) => {
    for (const name of readdirSync(directory).sort()) {
      const path = join(directory, name);
      if (name === ".lock" || name.endsWith("-lock") || name === "node.log") continue;
      if (lstatSync(path).isDirectory()) visit(path);
      else hash.update(relative(home, path)).update(readFileSync(path));
    }
  };
  visit(home);
  return hash.digest("hex");
}
