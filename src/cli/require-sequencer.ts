/** Refuses a configuration of a node that produces no blocks: this program only runs sequencers. */

import { existsSync } from "node:fs";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";

/** Throws ConfigError: a full node started as one would wait for blocks that nobody brings it. */
export function requireSequencer({ config, configFile }: LoadedConfig): void {
  if (config.node.aggregator) return;
  const remedy = existsSync(configFile)
    ? ""
    : `. ${configFile} does not exist: correct --home, or make the home with evm init`;
  const message =
    "is false, and this program only runs sequencers; set node.aggregator: true, and raft.enable: true " +
    `for a member of a cluster. A full node of the chain runs ev-node${remedy}`;
  const origin = { kind: "default" } as const;
  throw new ConfigError([{ severity: "error", origin, key: "node.aggregator", message }]);
}
