/** What the nodes say of themselves, asked again and again; each at its own pace, for one may hang. */

import { sleep } from "../base/task-group.ts";
import type { LocalCluster } from "./local-cluster.ts";
import type { LocalNode, LocalNodeStatus } from "./local-node.ts";

const pollIntervalMs = 200;

export interface NodeView {
  readonly id: string;
  /** `host:port`. */
  readonly rpcAddress: string;
  readonly isRunning: boolean;
  /** null while it does not answer. */
  readonly status: LocalNodeStatus | null;
}

export interface ClusterView {
  readonly nodes: readonly NodeView[];
  /** The highest height any node has reported. */
  readonly height: number;
  /** Of the leader with the highest term; null if nobody says that it leads. */
  readonly leaderId: string | null;
  readonly term: number;
}

export class ClusterWatch {
  readonly #cluster: LocalCluster;
  readonly #statuses = new Map<string, LocalNodeStatus | null>();
  #height = 0;

  constructor(cluster: LocalCluster) {
    this.#cluster = cluster;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#cluster.nodes.map((node) => this.#poll(node, signal)));
  }

  get view(): ClusterView {
    const nodes = this.#cluster.nodes.map((node) => this.#viewOf(node));
    const raft = nodes.flatMap(({ status }) => (status?.raft ? [status.raft] : []));
    const leading = nodes
      .filter(({ status }) => status?.raft?.role === "leader")
      .sort((a, b) => (b.status?.raft?.term ?? 0) - (a.status?.raft?.term ?? 0));
    return {
      nodes,
      height: this.#height,
      leaderId: leading[0]?.id ?? null,
      term: Math.max(0, ...raft.map(({ term }) => term)),
    };
  }

  async #poll(node: LocalNode, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const status = node.isRunning ? await node.status() : null;
      this.#statuses.set(node.id, status);
      this.#height = Math.max(this.#height, status?.height ?? 0);
      await sleep(pollIntervalMs, signal);
    }
  }

  #viewOf(node: LocalNode): NodeView {
    const { host, rpcPort } = node.place;
    const status = node.isRunning ? (this.#statuses.get(node.id) ?? null) : null;
    return {
      id: node.id,
      rpcAddress: `${host}:${rpcPort}`,
      isRunning: node.isRunning,
      status,
    };
  }
}

/** Blocks that the node is behind the highest; null while it does not answer. */
export function lagOf(view: ClusterView, node: NodeView): number | null {
  return node.status === null ? null : Math.max(0, view.height - node.status.height);
}

/** Nodes are asked one after the other, and fast blocks go on meanwhile. */
const lagMaxMs = 500;
const blocksBehindMax = 2;

/** Every node runs, a leader is known, and none is behind by more blocks than a moment brings. */
export function isWhole(view: ClusterView, blockTimeMs: number): boolean {
  const lagMax = Math.max(blocksBehindMax, lagMaxMs / blockTimeMs);
  return (
    view.leaderId !== null &&
    view.nodes.every((node) => (lagOf(view, node) ?? Number.POSITIVE_INFINITY) <= lagMax)
  );
}
