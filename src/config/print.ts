/** evnode.yaml as text: every key with its reason, type, default and variable. */

import { absolutePath } from "./build.ts";
import { allKeys, type NamedKey, sectionComments, sectionNames } from "./schema.ts";
import type { Setting } from "./settings.ts";

/** What to write instead of a default, by key name. */
export type Overrides = ReadonlyMap<string, string>;

const columnsMax = 100;

const heading = `\
Configuration of a node. Environment variables win over this file, flags win over both.
The flag of raft.node_id is --evnode.raft.node_id, and so on for every key.
A key whose line begins with # is not set: remove the # to set it.
Durations are written as 500ms or 1m30s, sizes as 64MiB.`;

/** Loads back to the defaults, but for `overrides`. */
export function printConfig(overrides: Overrides = new Map()): string {
  const lines = heading.split("\n").map((line) => `# ${line}`);
  for (const section of sectionNames()) {
    const keys = allKeys.filter((key) => key.section === section);
    lines.push("");
    if (section !== "") lines.push(...comment(sectionComments[section], ""), `${section}:`);
    const indent = section === "" ? "" : "  ";
    for (const key of keys) {
      lines.push(...printKey(key, overrides.get(key.name)).map((line) => indent + line), "");
    }
    lines.pop();
  }
  return `${lines.join("\n")}\n`;
}

function printKey(key: NamedKey, override: string | undefined): readonly string[] {
  const lines = [...comment(key.about, "  ")];
  if (key.use === "ignored" && key.instead !== null) {
    lines.push(...comment(`Known from ev-node, not implemented: ${key.instead}.`, "  "));
  }
  const initial = key.initial === "" ? "no default" : `default ${key.initial}`;
  const origin = key.isFlagOnly ? key.flag : key.variable;
  lines.push(`# [${key.type}, ${initial}, ${origin}]`);
  if (override !== undefined) lines.push(`${key.shortName}: ${yamlText(key, override)}`);
  else if (key.isFlagOnly) lines.push("# Not in this file.");
  else if (key.isUnsetByDefault || key.use === "ignored") {
    lines.push(`# ${key.shortName}: ${yamlText(key, key.example ?? key.initial)}`);
  } else lines.push(`${key.shortName}: ${yamlText(key, key.initial)}`);
  return lines;
}

/** Numbers, booleans, durations and words stand as they are, texts in quotes. */
function yamlText(key: NamedKey, text: string): string {
  const isText = /^(string|path|secret|host:port|multiaddr|list)/.test(key.type);
  return isText || !/^[\w.+-]+$/.test(text) ? JSON.stringify(text) : text;
}

/** Comment lines, broken between words. */
function comment(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(" ")) {
    if (indent.length + line.length + 1 + word.length > columnsMax) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/**
 * Settings of a command line as a file holds them. A path is made absolute, since in the file it
 * would be relative to the home directory; a secret is left out.
 */
export function overridesFrom(settings: readonly Setting[], workingDirectory: string): Overrides {
  const overrides = new Map<string, string>();
  for (const { key, text } of settings) {
    if (key.isSecret) continue;
    const isRelative = key.isPath && key.name !== "db_path" && text !== "";
    overrides.set(key.name, isRelative ? absolutePath(text, workingDirectory) : text.trim());
  }
  return overrides;
}
