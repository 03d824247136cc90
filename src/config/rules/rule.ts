/** What a rule between settings sees and finds. */

import type { NodeConfig } from "../schema.ts";

export interface Finding {
  readonly severity: "error" | "warning";
  /** The keys concerned, the one to change first. */
  readonly keys: readonly [string, ...string[]];
  readonly message: string;
}

export interface RuleContext {
  readonly config: NodeConfig;
  isSet(name: string): boolean;
  /** The value of any key as text, also of one that `NodeConfig` does not hold. */
  text(name: string): string;
}

export type Rule = (context: RuleContext) => readonly Finding[];

export function finding(
  severity: Finding["severity"],
  keys: Finding["keys"],
  message: string,
): Finding {
  return { severity, keys, message };
}
