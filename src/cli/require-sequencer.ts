/** Refuses a configuration of a node that produces no blocks: this program only runs sequencers. */

import { ConfigError } from "../config/problem.ts";
import type { NodeConfig } from "../config/schema.ts";

/** Throws ConfigError: a full node started as one would wait for blocks that nobody brings it. */
export function requireSequencer({ node }: NodeConfig): void {
  if (node.aggregator) return;
  const message =
    "is false, and this program only runs sequencers; set node.aggregator: true, and raft.enable: true " +
    "for a member of a cluster. A full node of the chain runs ev-node";
  const origin = { kind: "default" } as const;
  throw new ConfigError([{ severity: "error", origin, key: "node.aggregator", message }]);
}
