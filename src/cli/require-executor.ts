/** Refuses a configuration that names an executor which this version does not have. */

import { ConfigError } from "../config/problem.ts";
import type { NodeConfig } from "../config/schema.ts";

/** Throws ConfigError: a client that is configured and never driven would be found empty one day. */
export function requireExecutor({ execution }: NodeConfig): void {
  if (execution.type === "kv") return;
  const message =
    "engine is not available in this version, which executes blocks in the embedded key-value store " +
    "only; remove the evm keys and flags, or write kv. Keep ev-node where an Ethereum client executes";
  const origin = { kind: "default" } as const;
  throw new ConfigError([{ severity: "error", origin, key: "execution.type", message }]);
}
