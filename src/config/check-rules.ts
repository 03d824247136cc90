/** Rules between settings, checked once every value could be read by itself. */

import type { Origin, Problem } from "./problem.ts";
import { listenerRules } from "./rules/listeners.ts";
import { nodeRules } from "./rules/node.ts";
import { peerRules } from "./rules/peers.ts";
import type { Rule, RuleContext } from "./rules/rule.ts";
import { timingRules } from "./rules/timing.ts";
import { findKey, type NodeConfig } from "./schema.ts";
import type { Setting } from "./settings.ts";

export interface RuleInput {
  readonly config: NodeConfig;
  readonly settings: ReadonlyMap<string, Setting>;
  /** Keys whose value could not be read: nothing that rests on them is worth saying. */
  readonly broken: ReadonlySet<string>;
}

const rules: readonly Rule[] = [...nodeRules, ...listenerRules, ...timingRules, ...peerRules];

export function checkRules({ config, settings, broken }: RuleInput): readonly Problem[] {
  const context: RuleContext = {
    config,
    isSet: (name) => settings.has(name),
    text: (name) => settings.get(name)?.text.trim() ?? findKey(name)?.initial ?? "",
  };
  return rules
    .flatMap((rule) => rule(context))
    .filter(({ keys }) => !keys.some((name) => broken.has(name)))
    .map(({ severity, keys, message }) => {
      // The place to point at is the first of the keys that somebody wrote down.
      const [first] = keys;
      const written = keys.find((name) => settings.has(name));
      const origin: Origin = settings.get(written ?? first)?.origin ?? { kind: "default" };
      return { severity, origin, key: first, message };
    });
}
