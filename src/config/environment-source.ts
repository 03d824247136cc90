/** Settings from environment variables: `EVNODE_RAFT_NODE_ID` is `raft.node_id`. */

import { nearest } from "./nearest.ts";
import type { Problem } from "./problem.ts";
import { allKeys, type NamedKey, variableOf } from "./schema.ts";
import type { Setting, Source } from "./settings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export const homeVariable = "EVNODE_HOME";

const keysByVariable: ReadonlyMap<string, NamedKey> = new Map(
  allKeys.flatMap((key) =>
    [...key.variables, ...key.aliases.map(variableOf), key.variable].map((name) => [name, key]),
  ),
);

/** An empty variable counts as not set, as in ev-node. Of two names for one key the last listed wins. */
export function readEnvironment(environment: Environment): Source {
  const settings = new Map<NamedKey, Setting>();
  for (const [variable, key] of keysByVariable) {
    const text = environment[variable];
    if (text === undefined || text === "") continue;
    settings.set(key, { key, text, origin: { kind: "environment", variable } });
  }
  return { settings: [...settings.values()], problems: unknownVariables(environment) };
}

/** Warnings only: a host may hold variables that are meant for somebody else. */
function unknownVariables(environment: Environment): readonly Problem[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith("EVNODE_") && name !== homeVariable)
    .filter((name) => !keysByVariable.has(name))
    .map((variable) => {
      const suggestion = nearest(variable, [homeVariable, ...keysByVariable.keys()]);
      const advice = suggestion === null ? "" : `; did you mean ${suggestion}?`;
      return {
        severity: "warning",
        origin: { kind: "environment", variable },
        key: null,
        message: `no key has this variable, so it does nothing${advice}`,
      };
    });
}
