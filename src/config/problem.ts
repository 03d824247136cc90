/** What is wrong with a configuration: all of it at once, each with its place and what to write instead. */

import { CodedError } from "../base/coded-error.ts";

/** Where a value came from. */
export type Origin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly path: string; readonly line: number; readonly column: number }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "flag"; readonly flag: string };

export interface Problem {
  readonly severity: "error" | "warning";
  /** Where to change it. */
  readonly origin: Origin;
  /** The key's name; null where no one key is meant. */
  readonly key: string | null;
  /** Continues the key's name in a sentence, and ends in what to write instead. */
  readonly message: string;
}

export class ConfigError extends CodedError<{
  readonly code: "CONFIG_INVALID";
  /** Warnings included, in the order of the sources. */
  readonly problems: readonly Problem[];
}> {
  constructor(problems: readonly Problem[], options?: ErrorOptions) {
    const errors = problems.filter(({ severity }) => severity === "error");
    const count = errors.length === 1 ? "one problem" : `${errors.length} problems`;
    const lines = errors.map((problem) => `  ${formatProblem(problem)}`);
    super(
      { code: "CONFIG_INVALID", problems },
      `${count} in the configuration\n${lines.join("\n")}`,
      options,
    );
  }
}

/** `evnode.yaml:7:3: raft.peers: ...`, on one line. A flag names its key already. */
export function formatProblem({ origin, key, message }: Problem): string {
  const parts = [formatOrigin(origin), origin.kind === "flag" ? null : key, message].filter(
    (part) => part !== null && part !== "",
  );
  return parts.join(": ").replaceAll("\n", " ");
}

/** Empty for a default: there is no place to point at. */
export function formatOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "default":
      return "";
    case "file":
      return `${origin.path}:${origin.line}:${origin.column}`;
    case "environment":
      return origin.variable;
    case "flag":
      return origin.flag;
  }
}
