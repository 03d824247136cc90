/** All that `evm start` would find wrong with its configuration, and what it would warn of. */

import type { Environment } from "../config/environment-source.ts";
import type { InspectedConfig } from "../config/load.ts";
import { ConfigError, type Problem } from "../config/problem.ts";
import type { NodeConfig } from "../config/schema.ts";
import {
  type ResolvedSecret,
  requireJwtSecret,
  requirePassphrase,
  resolveAdminToken,
  resolveJwtSecret,
  resolvePassphrase,
} from "../config/secrets.ts";
import { evnodeProblems } from "./evnode-remains.ts";
import { memberAloneProblem } from "./member-alone.ts";
import { addressProblem } from "./own-address.ts";
import { sequencerProblem } from "./require-sequencer.ts";

export function problemsAtStart(
  inspected: InspectedConfig,
  environment: Environment,
): readonly Problem[] {
  const { problems, isReadable } = inspected;
  // With a broken file every further finding would rest on defaults that nobody chose.
  if (!isReadable) return problems;
  return [
    ...problems,
    ...roleProblems(inspected),
    ...evnodeProblems(inspected),
    ...memberProblems(inspected),
    ...addressProblems(inspected),
    ...secretProblems(inspected, environment),
  ];
}

function memberProblems(inspected: InspectedConfig): readonly Problem[] {
  try {
    const problem = memberAloneProblem(inspected);
    return problem === null || isTold(inspected, problem) ? [] : [problem];
  } catch (error) {
    // As with secrets: the service may read its data, and this user need not.
    if (isForbidden(error)) return [];
    throw error;
  }
}

function addressProblems(inspected: InspectedConfig): readonly Problem[] {
  const problem = addressProblem(inspected);
  return problem === null ? [] : [problem];
}

/** Unless it is told already: of a value that cannot be read, or of a member that is no sequencer. */
function roleProblems(inspected: InspectedConfig): readonly Problem[] {
  const problem = sequencerProblem(inspected);
  return problem === null || isTold(inspected, problem) ? [] : [problem];
}

function isTold({ problems }: InspectedConfig, problem: Problem): boolean {
  return problems.some(({ key, severity }) => key === problem.key && severity === "error");
}

/** How a secret is looked for, and how it is missed where a node cannot do without. */
interface SecretKind {
  readonly resolve: (config: NodeConfig, environment: Environment) => ResolvedSecret | null;
  readonly require: ((config: NodeConfig, environment: Environment) => ResolvedSecret) | null;
}

function secretProblems(
  { config, settings }: InspectedConfig,
  environment: Environment,
): readonly Problem[] {
  const isAggregator = config.node.aggregator;
  const kinds: SecretKind[] = [
    { resolve: resolvePassphrase, require: isAggregator ? requirePassphrase : null },
    { resolve: resolveAdminToken, require: null },
  ];
  if (config.execution.type === "engine") {
    kinds.push({ resolve: resolveJwtSecret, require: requireJwtSecret });
  }
  return kinds
    .flatMap((kind) => problemsOf(kind, config, environment))
    .map((problem) => {
      // A secret is wrong where it was written, or the name of its file.
      const key = problem.key ?? "";
      const written = [key, `${key}_file`].map((name) => settings.get(name));
      const setting = written.find((found) => found !== undefined);
      return { ...problem, origin: setting?.origin ?? problem.origin };
    });
}

function problemsOf(
  { resolve, require }: SecretKind,
  config: NodeConfig,
  environment: Environment,
): readonly Problem[] {
  try {
    const secret = resolve(config, environment);
    if (secret !== null) return secret.warnings.map(warningOf);
  } catch (error) {
    const problems = problemsIn(error);
    // The service may be allowed to read what this user is not: that is as it should be.
    return isForbidden(error) ? problems.map(asWarning) : problems;
  }
  try {
    require?.(config, environment);
    return [];
  } catch (error) {
    // No error: the service may have a variable or a credential that this shell has not.
    return problemsIn(error).map(asWarning);
  }
}

function asWarning(problem: Problem): Problem {
  return { ...problem, severity: "warning" };
}

function isForbidden(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && forbidden.has(String(cause.code));
}

const forbidden: ReadonlySet<string> = new Set(["EACCES", "EPERM"]);

function warningOf(message: string): Problem {
  return { severity: "warning", origin: { kind: "default" }, key: null, message };
}

function problemsIn(error: unknown): readonly Problem[] {
  if (error instanceof ConfigError) return error.detail.problems;
  throw error;
}
