/** Refuses a configuration of a node that produces no blocks: this program only runs sequencers. */

import { existsSync } from "node:fs";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError, type Problem } from "../config/problem.ts";

type Facts = Pick<LoadedConfig, "config" | "configFile" | "settings">;

const key = "node.aggregator";

/** Throws ConfigError: a full node started as one would wait for blocks that nobody brings it. */
export function requireSequencer(loaded: Facts): void {
  const problem = sequencerProblem(loaded);
  if (problem !== null) throw new ConfigError([problem]);
}

/** null if it is the configuration of a sequencer. */
export function sequencerProblem({ config, configFile, settings }: Facts): Problem | null {
  if (config.node.aggregator) return null;
  const message = existsSync(configFile)
    ? "is false, and this program only runs sequencers; set node.aggregator: true, and raft.enable: true " +
      "for a member of a cluster. A full node of the chain runs ev-node"
    : `is not set, since ${configFile} does not exist: correct --home, or make the home with evm init`;
  const origin = settings.get(key)?.origin ?? { kind: "default" };
  return { severity: "error", origin, key, message };
}
