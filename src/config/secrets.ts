/** Where secrets come from: environment, file, systemd credential, and the command line with a warning. */

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "./environment-source.ts";
import { ConfigError, type Problem } from "./problem.ts";
import { findKey, type NodeConfig } from "./schema.ts";
import { Secret } from "./secret.ts";

export interface ResolvedSecret {
  readonly secret: Secret;
  /** Names the source, never its content: fit for a log. */
  readonly source: string;
  /** Sentences for the log: a source that others can read. */
  readonly warnings: readonly string[];
}

/** A passphrase or token is a line of text; a larger file is some other file. */
const secretFileMaxBytes = 64 * 1024;

interface Candidate {
  readonly source: string;
  readonly secret: Secret;
  readonly warning: string | null;
}

/**
 * The signer's passphrase; null if none is given. Throws {@link ConfigError} if a file cannot be
 * read, or if two sources give different ones: which was meant is not ours to guess.
 */
export function resolvePassphrase(
  config: NodeConfig,
  environment: Environment,
): ResolvedSecret | null {
  const { passphrase, passphraseFile } = config.signer;
  return choose("signer.passphrase", [
    fromVariable("EV_SIGNER_PASSPHRASE", environment),
    fromFile("signer.passphrase_file", passphraseFile),
    fromCredential("signer-passphrase", environment),
    fromSetting("signer.passphrase", passphrase, environment, "EV_SIGNER_PASSPHRASE"),
  ]);
}

/** Like {@link resolvePassphrase}, but a missing passphrase is a {@link ConfigError} that says how to give one. */
export function requirePassphrase(config: NodeConfig, environment: Environment): ResolvedSecret {
  const resolved = resolvePassphrase(config, environment);
  if (resolved !== null) return resolved;
  throw problemWith(
    "signer.passphrase",
    "is required for the signing key of an aggregator; set the variable EV_SIGNER_PASSPHRASE, or give " +
      "--evnode.signer.passphrase_file=FILE, or a systemd credential named signer-passphrase",
  );
}

/** The Engine API's secret, 32 bytes; null if none is given. Throws {@link ConfigError}. */
export function resolveJwtSecret(
  config: NodeConfig,
  environment: Environment,
): ResolvedSecret | null {
  const { jwtSecret, jwtSecretFile } = config.evm;
  const resolved = choose("evm.jwt_secret", [
    fromFile("evm.jwt_secret_file", jwtSecretFile),
    fromCredential("jwt", environment),
    fromSetting("evm.jwt_secret", jwtSecret, environment, "evm.jwt_secret_file"),
  ]);
  if (resolved !== null && !/^(0x)?[0-9a-fA-F]{64}$/.test(resolved.secret.reveal())) {
    throw problemWith(
      "evm.jwt_secret",
      `from ${resolved.source} is not 32 bytes in hexadecimal; give it the file the execution client has`,
    );
  }
  return resolved;
}

/** Like {@link resolveJwtSecret}, but a missing secret is a {@link ConfigError} that says how to give one. */
export function requireJwtSecret(config: NodeConfig, environment: Environment): ResolvedSecret {
  const resolved = resolveJwtSecret(config, environment);
  if (resolved !== null) return resolved;
  throw problemWith(
    "evm.jwt_secret_file",
    "is required for execution.type: engine; give --evm.jwt-secret-file=FILE with the file the execution " +
      "client has, or a systemd credential named jwt",
  );
}

/** The token of admin requests; null if none is given, which leaves them to loopback. */
export function resolveAdminToken(
  config: { readonly rpc: Pick<NodeConfig["rpc"], "adminToken" | "adminTokenFile"> },
  environment: Environment,
): ResolvedSecret | null {
  return choose("rpc.admin_token", [
    fromFile("rpc.admin_token_file", config.rpc.adminTokenFile),
    fromCredential("admin-token", environment),
    fromSetting("rpc.admin_token", config.rpc.adminToken, environment, "rpc.admin_token_file"),
  ]);
}

function choose(key: string, candidates: readonly (Candidate | null)[]): ResolvedSecret | null {
  const given = candidates.filter((candidate) => candidate !== null);
  const [first, ...others] = given;
  if (first === undefined) return null;
  const other = others.find(({ secret }) => secret.reveal() !== first.secret.reveal());
  if (other !== undefined) {
    throw problemWith(
      key,
      `differs between ${first.source} and ${other.source}; give only one of them`,
    );
  }
  const warnings = given.map(({ warning }) => warning).filter((warning) => warning !== null);
  return { secret: first.secret, source: first.source, warnings };
}

function fromVariable(variable: string, environment: Environment): Candidate | null {
  const value = environment[variable]?.trim();
  if (value === undefined || value === "") return null;
  return { source: `variable ${variable}`, secret: new Secret(value), warning: null };
}

function fromCredential(name: string, environment: Environment): Candidate | null {
  const { CREDENTIALS_DIRECTORY: directory } = environment;
  if (directory === undefined || directory === "") return null;
  const path = join(directory, name);
  const text = readSecretFile(`systemd credential ${name}`, path, { isOptional: true });
  if (text === null) return null;
  return { source: `systemd credential ${name}`, secret: new Secret(text), warning: null };
}

function fromFile(key: string, path: string | null): Candidate | null {
  if (path === null) return null;
  const text = readSecretFile(key, path, { isOptional: false });
  if (text === null) return null;
  const isShared = (statSync(path).mode & 0o077) !== 0;
  const warning = isShared
    ? `${path} can be read by other users of this machine: run chmod 600 ${path}`
    : null;
  return { source: `file ${path}`, secret: new Secret(text), warning };
}

/** A secret given as the value of its own key: by variable, which is private, or where others can see it. */
function fromSetting(
  key: string,
  secret: Secret | null,
  environment: Environment,
  better: string,
): Candidate | null {
  if (secret === null) return null;
  const value = new Secret(secret.reveal().trim());
  const variable = variablesOf(key).find((name) => environment[name] === secret.reveal());
  if (variable !== undefined) {
    return { source: `variable ${variable}`, secret: value, warning: null };
  }
  const source = `setting ${key}`;
  const warning = `${key} was given as a value that other users of this machine may see: use ${better}`;
  return { source, secret: value, warning };
}

function variablesOf(key: string): readonly string[] {
  const known = findKey(key);
  return known === null ? [] : [known.variable, ...known.variables];
}

/** Without the white space around it; null if it is optional and not there. */
function readSecretFile(
  key: string,
  path: string,
  { isOptional }: { readonly isOptional: boolean },
): string | null {
  let text: string;
  try {
    const bytes = readFileSync(path);
    if (bytes.length > secretFileMaxBytes) {
      throw problemWith(
        key,
        `${path} has ${bytes.length} bytes and holds no secret; name another file`,
      );
    }
    text = bytes.toString("utf8").trim();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    if (isOptional && code === "ENOENT") return null;
    const advice =
      code === "ENOENT"
        ? "there is no such file; create it"
        : "the user that the node runs as must be able to read it, and nobody else";
    throw problemWith(key, `${path} cannot be read (${code}): ${advice}`, error);
  }
  if (text === "") throw problemWith(key, `${path} is empty; write the secret into it`);
  return text;
}

function problemWith(key: string, message: string, cause?: unknown): ConfigError {
  const problem: Problem = { severity: "error", origin: { kind: "default" }, key, message };
  return new ConfigError([problem], { cause });
}
