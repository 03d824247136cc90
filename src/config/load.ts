/** From files, environment and flags to a checked `NodeConfig`, or to every problem there is. */

import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { absolutePath, buildConfig } from "./build.ts";
import { checkRules } from "./check-rules.ts";
import { type Environment, homeVariable, readEnvironment } from "./environment-source.ts";
import { notImplementedWarnings } from "./not-implemented.ts";
import { ConfigError, type Origin, type Problem } from "./problem.ts";
import { allKeys, type NamedKey, type NodeConfig } from "./schema.ts";
import type { Setting, Source } from "./settings.ts";
import { readYaml, type YamlSource } from "./yaml-source.ts";

/** A configuration is a few kilobytes; a larger file is some other file. */
const configFileMaxBytes = 1024 * 1024;

export interface LoadOptions {
  /** `--home`; null for the environment's, else `~/.evm`. */
  readonly home: string | null;
  /** Settings and problems of the command line. */
  readonly flags: Source;
  readonly environment: Environment;
  /** What a relative path on the command line is relative to. */
  readonly workingDirectory: string;
}

export interface LoadedConfig {
  readonly config: NodeConfig;
  readonly configFile: string;
  readonly warnings: readonly Problem[];
  /** What was set, by key name; a key that is not in here has its default. */
  readonly settings: ReadonlyMap<string, Setting>;
}

/** A configuration as it is, good or not. */
export interface InspectedConfig extends Omit<LoadedConfig, "warnings"> {
  /** In the order of the sources. With an error among them `config` has defaults that nobody chose. */
  readonly problems: readonly Problem[];
  /** Names of keys whose text could not be read. */
  readonly broken: ReadonlySet<string>;
  /** False if there is a file and nothing of it could be read. */
  readonly isReadable: boolean;
}

/** Default < evnode.yaml < environment < flag. Throws {@link ConfigError} with all problems at once. */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const { config, configFile, settings, problems } = inspectConfig(options);
  refuseErrors(problems);
  return { config, configFile, warnings: problems, settings };
}

/** Throws {@link ConfigError} with all of them, in reading order, if one is an error. */
export function refuseErrors(problems: readonly Problem[]): void {
  if (problems.some(({ severity }) => severity === "error")) {
    throw new ConfigError(problems.toSorted(inReadingOrder));
  }
}

/** Throws {@link ConfigError} only if there is no telling where the home directory is. */
export function inspectConfig(options: LoadOptions): InspectedConfig {
  const home = resolveHome(options);
  const configFile = join(home, "config", "evnode.yaml");
  const file = readConfigFile(configFile);
  const environment = readEnvironment(options.environment);
  const sources = [file, environment, options.flags];
  const settings = merge(sources);
  const values = parseAll(settings, { home, workingDirectory: options.workingDirectory });
  const config = buildConfig({
    home,
    valueFor: (key) => values.byKey.get(key),
    isSet: (name) => settings.has(name),
  });
  const problems = [
    ...sources.flatMap((source) => source.problems),
    ...values.problems,
    ...notImplementedWarnings(settings),
    ...sharedSecretWarnings(settings),
  ];
  // With a broken file every further finding would rest on defaults that nobody chose.
  if (file.isReadable) problems.push(...checkRules({ config, settings, broken: values.broken }));
  problems.sort(inReadingOrder);
  const { isReadable } = file;
  return { config, configFile, settings, problems, broken: values.broken, isReadable };
}

export function resolveHome({
  home,
  environment,
  workingDirectory,
}: Pick<LoadOptions, "home" | "environment" | "workingDirectory">): string {
  if (home === "") {
    throw new ConfigError([
      {
        severity: "error",
        origin: { kind: "flag", flag: "--home" },
        key: null,
        message:
          "root directory cannot be empty; write --home=DIRECTORY, or leave it out for ~/.evm",
      },
    ]);
  }
  const stated = home ?? (environment[homeVariable] || join(homedir(), ".evm"));
  return absolutePath(stated, workingDirectory);
}

const notThere: YamlSource = { settings: [], problems: [], isReadable: true };

/** No file is no problem: defaults, environment and flags may say all there is to say. */
export function readConfigFile(path: string): YamlSource {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT") return notThere;
    return unreadable(path, whyUnreadable(String(code), path));
  }
  if (bytes.length > configFileMaxBytes) {
    return unreadable(
      path,
      `has ${bytes.length} bytes and is no configuration; restore the real one`,
    );
  }
  if (bytes.includes(0)) {
    const advice = "restore it, or write a new one with evm config default";
    return unreadable(path, `holds zero bytes, as a crash leaves them; ${advice}`);
  }
  try {
    return readYaml(new TextDecoder("utf-8", { fatal: true }).decode(bytes), path);
  } catch {
    return unreadable(
      path,
      "is not UTF-8 text; restore it, or write a new one with evm config default",
    );
  }
}

function unreadable(path: string, message: string): YamlSource {
  const origin: Origin = { kind: "file", path, line: 1, column: 1 };
  const problem: Problem = { severity: "error", origin, key: null, message };
  return { settings: [], problems: [problem], isReadable: false };
}

function whyUnreadable(code: string, path: string): string {
  switch (code) {
    case "EISDIR":
      return "is a directory; remove it and put the file there";
    case "EACCES":
    case "EPERM":
      return "may not be read by this user; run as its owner, or change its owner";
    case "ENOTDIR":
      return `cannot be there, since ${dirname(path)} is no directory; give another --home`;
    default:
      return `cannot be read: ${code}`;
  }
}

/** From the top of the file to its end, then what stands nowhere in it. */
function inReadingOrder({ origin: a }: Problem, { origin: b }: Problem): number {
  if (a.kind === "file" && b.kind === "file") return a.line - b.line || a.column - b.column;
  return Number(b.kind === "file") - Number(a.kind === "file");
}

/** A secret in a file that every user of the machine can read is none. */
function sharedSecretWarnings(settings: ReadonlyMap<string, Setting>): readonly Problem[] {
  return [...settings.values()]
    .filter(({ key, origin }) => {
      if (!key.isSecret || key.use === "ignored" || origin.kind !== "file") return false;
      return (statSync(origin.path).mode & 0o077) !== 0;
    })
    .map(({ key, origin }) => ({
      severity: "warning",
      origin,
      key: key.name,
      message: "is a secret in a file that other users can read; run chmod 600 on it",
    }));
}

/** Later sources win. */
function merge(sources: readonly Source[]): ReadonlyMap<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const { settings: given } of sources) {
    for (const setting of given) settings.set(setting.key.name, setting);
  }
  return settings;
}

interface Values {
  readonly byKey: ReadonlyMap<NamedKey, unknown>;
  readonly problems: readonly Problem[];
  /** Names of keys whose text could not be read; they have their default meanwhile. */
  readonly broken: ReadonlySet<string>;
}

interface Directories {
  readonly home: string;
  readonly workingDirectory: string;
}

function parseAll(settings: ReadonlyMap<string, Setting>, directories: Directories): Values {
  const byKey = new Map<NamedKey, unknown>();
  const problems: Problem[] = [];
  const broken = new Set<string>();
  for (const key of allKeys) {
    const { text, origin } = settings.get(key.name) ?? {
      text: key.initial,
      origin: { kind: "default" } as const,
    };
    const parsed = key.parse(key.isSecret ? text : text.trim());
    if (!parsed.ok) {
      const message = key.isSecret ? "cannot be read" : parsed.problem;
      problems.push({ severity: "error", origin, key: key.name, message });
      broken.add(key.name);
    }
    const fallback = parsed.ok ? parsed : key.parse(key.initial);
    const value = fallback.ok ? fallback.value : null;
    byKey.set(key, key.isPath ? absolute(key, value, origin, directories) : value);
  }
  return { byKey, problems, broken };
}

/** What an operator types is relative to where he stands; what a file holds, to the home directory. */
function absolute(
  key: NamedKey,
  value: unknown,
  origin: Origin,
  directories: Directories,
): unknown {
  if (typeof value !== "string" || value === "") return value;
  const isTyped = origin.kind === "flag" || origin.kind === "environment";
  const base = isTyped && key.name !== "db_path" ? directories.workingDirectory : directories.home;
  const path = absolutePath(value, base);
  // ev-node takes the file as well as its directory.
  return key.name === "signer.signer_path" ? path.replace(/\/signer\.json$/, "") : path;
}
