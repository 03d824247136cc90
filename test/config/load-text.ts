/** Loads a configuration from texts, through a real home directory. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFlags } from "../../src/config/flag-source.ts";
import { type LoadedConfig, loadConfig } from "../../src/config/load.ts";
import { ConfigError, formatProblem, type Problem } from "../../src/config/problem.ts";

export interface LoadInput {
  /** Null for no file. */
  readonly yaml?: string | Uint8Array | null;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export type LoadOutcome = { readonly home: string } & (
  | { readonly kind: "loaded"; readonly loaded: LoadedConfig }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] }
);

export function loadText({ yaml = null, args = [], environment = {} }: LoadInput): LoadOutcome {
  const home = mkdtempSync(join(tmpdir(), "evm-config-"));
  try {
    mkdirSync(join(home, "config"));
    if (yaml !== null) writeFileSync(join(home, "config", "evnode.yaml"), yaml, { mode: 0o600 });
    const flags = readFlags(args);
    return {
      home,
      kind: "loaded",
      loaded: loadConfig({ home, flags, environment, workingDirectory: "/where/i/stand" }),
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { home, kind: "refused", problems: error.detail.problems };
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** The configuration, which must be good. */
export function loadGood(input: LoadInput): LoadedConfig {
  const outcome = loadText(input);
  if (outcome.kind === "loaded") return outcome.loaded;
  throw new Error(outcome.problems.map(formatProblem).join("\n"));
}

/** `error: ...` and `warning: ...` lines, the file named evnode.yaml, or `ok`. */
export function problemLines(input: LoadInput): readonly string[] {
  const outcome = loadText(input);
  const problems = outcome.kind === "loaded" ? outcome.loaded.warnings : outcome.problems;
  const lines = problems.map((problem) =>
    `${problem.severity}: ${formatProblem(problem)}`.replaceAll(`${outcome.home}/config/`, ""),
  );
  return outcome.kind === "loaded" ? [...lines, "ok"] : lines;
}
