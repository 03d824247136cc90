/** Settings from the command line: `--evnode.raft.node_id=node-1`, before or after the command. */

import type { Problem } from "./problem.ts";
import { findKey, type NamedKey } from "./schema.ts";
import type { Setting, Source } from "./settings.ts";
import { didYouMean, suggestFlag } from "./suggest.ts";

export interface FlagSource extends Source {
  /** Of `--home`; null without it. */
  readonly home: string | null;
  /** The command line without what was read here. */
  readonly rest: readonly string[];
  /** Flags that do not exist or lack their value: mistakes in usage, not in a value. */
  readonly usageProblems: readonly string[];
}

/** The last of a repeated flag wins. `--` ends the flags. */
export function readFlags(args: readonly string[]): FlagSource {
  const settings = new Map<NamedKey, Setting>();
  const rest: string[] = [];
  const usageProblems: string[] = [];
  let home: string | null = null;
  for (let at = 0; at < args.length; at++) {
    const argument = args[at] ?? "";
    if (argument === "--") {
      rest.push(...args.slice(at));
      break;
    }
    const { flag, inline } = splitFlag(argument);
    const key = keyOfFlag(flag);
    if (key === null && flag !== "--home") {
      if (isOurs(flag) && !commandFlags.has(flag)) {
        const advice = didYouMean(suggestFlag(flag), "evm start --help lists every flag");
        usageProblems.push(`unknown flag ${flag}${advice}`);
      } else rest.push(argument);
      continue;
    }
    const next = args[at + 1];
    let text = inline;
    if (key?.type === "bool" && inline === null) {
      const isValue = next === "true" || next === "false";
      text = isValue ? next : "true";
      if (isValue) at++;
    } else if (inline === null) {
      if (next === undefined || next.startsWith("--")) {
        usageProblems.push(`flag needs an argument: ${flag}; write ${flag}=VALUE`);
        continue;
      }
      text = next;
      at++;
    }
    if (key === null) home = unquote(text ?? "");
    else
      settings.set(key, { key, text: flagText(key, text ?? ""), origin: { kind: "flag", flag } });
  }
  const problems = exclusions([...settings.keys()]);
  return { settings: [...settings.values()], problems, home, rest, usageProblems };
}

function splitFlag(argument: string): { readonly flag: string; readonly inline: string | null } {
  const equals = argument.indexOf("=");
  if (!argument.startsWith("--") || equals < 0) return { flag: argument, inline: null };
  return { flag: argument.slice(0, equals), inline: argument.slice(equals + 1) };
}

/** They look like settings, and belong to a command. */
const commandFlags: ReadonlySet<string> = new Set(["--evm.genesis"]);

/** Flags with these beginnings are all ours, so that a misspelt one is not taken for a command's. */
function isOurs(flag: string): boolean {
  return /^--(evnode|rollkit|evm)\./i.test(flag);
}

function keyOfFlag(flag: string): NamedKey | null {
  // ev-node was once called rollkit, and still takes its flags.
  const prefixed = /^--(?:evnode|rollkit)\.(.+)$/i.exec(flag);
  if (prefixed !== null) {
    const key = findKey(prefixed[1] ?? "");
    return key?.section === "evm" ? null : key;
  }
  if (/^--evm\./i.test(flag)) return findKey(flag.slice(2));
  return flag === "--force-inclusion-server" ? findKey("force_inclusion_server") : null;
}

/** systemd and containers pass on quotes that a shell would have removed. A secret may well hold one. */
function flagText(key: NamedKey, text: string): string {
  return key.isSecret ? text : unquote(text);
}

function unquote(text: string): string {
  const match = /^(["'])(.*)\1$/s.exec(text);
  return match?.[2] ?? text;
}

/** As in ev-node these may not both be on the command line, whatever their values. */
const exclusivePairs: readonly (readonly [string, string])[] = [
  ["node.light", "node.aggregator"],
  ["node.based_sequencer", "node.promotable"],
  ["node.light", "node.promotable"],
  ["node.catchup_timeout", "raft.enable"],
];

function exclusions(given: readonly NamedKey[]): readonly Problem[] {
  const names = new Set(given.map(({ name }) => name));
  return exclusivePairs
    .filter(([one, other]) => names.has(one) && names.has(other))
    .map(([one, other]) => ({
      severity: "error",
      origin: { kind: "flag", flag: `--evnode.${one}` },
      key: one,
      message: `excludes --evnode.${other}; give only one of them`,
    }));
}
