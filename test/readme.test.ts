/**
 * The pages for people keep their word: what they call exists, what they link to is there, what they
 * tell an operator to write loads, and what they say the program prints is in the program.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { readFlags } from "../src/config/flag-source.ts";
import { findKey, isKeyPrefix, isSectionName } from "../src/config/schema.ts";
import { evm } from "./cli/evm.ts";
import { problemLines } from "./config/load-text.ts";

const root = join(import.meta.dirname, "..");
const peerId = "12D3KooWBhUE9PEdvJ3mXrRWqvXhFnBTxKzeRWGXPKoqWTgTHMBD";

const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].map(
  (path) => ({ path, text: readFileSync(join(root, path), "utf8") }),
);

/** Fenced blocks of a language, or without one. */
function blocksOf(text: string, language: string): readonly string[] {
  return [...text.matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , block]) => block ?? "");
}

/** Shell lines, with those that end in a backslash joined. */
function commandsOf(text: string): readonly string[] {
  return blocksOf(text, "sh").flatMap((block) => block.replaceAll("\\\n", " ").split("\n"));
}

describe.each(pages)("$path", ({ path, text }) => {
  it("links to files and headings that exist", () => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? "");
    const missing = targets
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !isThere(path, target));
    expect(missing).toEqual([]);
  });

  it("names only keys that exist", () => {
    const words = [...text.matchAll(/`([a-z0-9]+(?:\.[a-z0-9_]+)+)(?::[^`]*)?`/g)];
    const unknown = words
      .map(([, word]) => word ?? "")
      .filter((word) => isSectionName(word.split(".")[0] ?? "") && !/\.(json|yaml)$/.test(word))
      .filter((word) => findKey(word) === null && !isKeyPrefix(word));
    expect(unknown).toEqual([]);
  });

  it("names only flags and variables that exist", () => {
    const flags = [...text.matchAll(/--(?:evnode|evm)(?:\.[a-z][\w-]*)+(?!\.\*)\b/g)].map(
      ([flag]) => flag,
    );
    const unknown = flags.filter((flag) => readFlags([`${flag}=1`]).usageProblems.length > 0);
    const variables = [...text.matchAll(/\bEVNODE_[A-Z_]+\b/g)].map(([variable]) => variable);
    const unread = variables.filter((name) => !printedVariables().has(name));
    expect([...unknown, ...unread]).toEqual([]);
  });

  it("has YAML that loads, with nothing to warn of", () => {
    for (const yaml of blocksOf(text, "yaml")) {
      const filledIn = yaml.replaceAll(/<PEER_ID_NODE_\d>/g, peerId);
      expect(problemLines({ yaml: filledIn })).toEqual(["ok"]);
    }
  });

  it("runs npm scripts that exist", () => {
    const { scripts }: { scripts: Record<string, string> } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8"),
    );
    const run = [...text.matchAll(/npm run ([\w-]+)/g)].map(([, name]) => name ?? "");
    expect(run.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe("commands", () => {
  const lines = pages.flatMap(({ text }) => commandsOf(text));
  const inText = pages.flatMap(({ text }) => [...text.matchAll(/`(evm [a-z][^`]*)`/g)]);
  const calls = [...lines, ...inText.map(([, call]) => call ?? "")]
    .flatMap((line) => [
      ...line.matchAll(/(?:^|[\s|;"])evm ([a-z][a-z-]*(?: [a-z][a-z-]*)*)([^|;"#]*)/g),
    ])
    .map(([, names, rest]) => ({ names: (names ?? "").trim(), rest: rest ?? "" }));
  const commands = new Map(calls.map(({ names }) => [names, optionsOf(names, calls)]));

  it("are found in the pages", () => {
    expect([...commands.keys()].sort()).toEqual(
      expect.arrayContaining([
        "cluster members",
        "config check",
        "config default",
        "init",
        "start",
      ]),
    );
  });

  it.each([...commands])("evm %s exists, with its options", async (names, options) => {
    const { exitCode, stdout } = await evm([...names.split(" "), "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: evm ${names.split(" ")[0]}\\b`));
    expect(options.filter((option) => !stdout.includes(option))).toEqual([]);
  });

  it("`npm start` takes the options that the README gives it", async () => {
    const given = lines.filter((line) => line.startsWith("npm start -- ")).join(" ");
    const { stdout } = await evm(["devnet", "--help"]);
    const options = [...given.matchAll(/--[a-z][a-z-]+/g)].map(([option]) => option);
    expect(options).not.toEqual([]);
    expect(options.filter((option) => !stdout.includes(option))).toEqual([]);
  });
});

/** Commander's own, `--chain_id`; those of the configuration are checked above, `--home` is for all. */
function optionsOf(
  names: string,
  calls: readonly { readonly names: string; readonly rest: string }[],
): readonly string[] {
  return calls
    .filter((call) => call.names === names)
    .flatMap(({ rest }) => [...rest.matchAll(/--[a-z][\w.-]*/g)].map(([option]) => option))
    .filter((option) => option !== "--home" && !/^--(evnode|evm)\./.test(option));
}

function isThere(fromPage: string, target: string): boolean {
  const [file = "", heading] = target.split("#");
  const path = file === "" ? fromPage : normalize(join(dirname(fromPage), file));
  if (!existsSync(join(root, path))) return false;
  if (heading === undefined) return true;
  return headingsOf(readFileSync(join(root, path), "utf8")).includes(heading);
}

/** As GitHub names them in links. */
function headingsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading ?? "")
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** The table of docs/configuration.md has every key; its variables follow from their names. */
function printedVariables(): ReadonlySet<string> {
  const table = pages.find(({ path }) => path === "docs/configuration.md")?.text ?? "";
  const names = [...table.matchAll(/^\| `([\w.]+)`/gm)].map(([, name]) => name ?? "");
  return new Set(names.map((name) => `EVNODE_${name.replaceAll(".", "_").toUpperCase()}`));
}
