/** docs/configuration.md, from the table of keys: so the page can say nothing that the program does not. */

import {
  allKeys,
  type NamedKey,
  type SectionName,
  sectionComments,
  sectionNames,
} from "../../src/config/schema.ts";
import { table } from "./table.ts";

const introduction = `\
# Configuration

<!-- Written by test/docs/configuration-page.ts: npx vitest run test/docs -u -->

Every key that \`<home>/config/evnode.yaml\` may hold. \`evm config default\` prints the same as a file
to edit, \`evm config check\` says what is wrong with yours, with the line.

A value is looked for in this order: flag, environment variable, file, default. The flag of
\`raft.node_id\` is \`--evnode.raft.node_id\` and its variable \`EVNODE_RAFT_NODE_ID\`, and so on for every
key; those of the \`evm\` section are \`--evm.jwt-secret-file\` and the like. Durations are written as
\`500ms\` or \`1m30s\`, sizes as \`64MiB\`, lists with commas or as YAML lists. Paths are relative to the
home directory, on the command line to where one stands. An unknown key is an error, with the nearest
known one.

Keys of ev-node that do nothing here are listed at the end, so that its files load as they are.
[What is not built yet](../README.md#not-yet) names the keys that are read and wait for their feature.
`;

const ignoredIntroduction = `\
## Keys of ev-node without effect

They are read and then not used. One that asks for something that is missing here is warned of at the
start; the others are harmless.
`;

export function configurationPage(): string {
  const used = allKeys.filter(({ use }) => use === "used");
  const ignored = allKeys.filter(({ use }) => use === "ignored");
  const sections = sectionNames().map((name) =>
    [...heading(name), ...usedTable(used.filter(({ section }) => section === name))].join("\n"),
  );
  return `${[introduction, ...sections, ignoredIntroduction, ignoredTable(ignored)].join("\n")}`;
}

function heading(name: SectionName): readonly string[] {
  return name === ""
    ? ["## Top of the file", ""]
    : [`## \`${name}\``, "", sectionComments[name], ""];
}

function usedTable(keys: readonly NamedKey[]): readonly string[] {
  if (keys.length === 0) return [];
  const rows = keys.map((key) => {
    const initial = key.initial === "" ? "" : code(key.initial);
    const about = key.isFlagOnly ? `${key.about} Flag only.` : key.about;
    return [code(key.name), inCell(key.type), initial, inCell(about)];
  });
  return [...table(["key", "type", "default", "what it is"], rows), ""];
}

function ignoredTable(keys: readonly NamedKey[]): string {
  const rows = keys.map((key) => [code(key.name), inCell(key.instead ?? "nothing is missing")]);
  return [...table(["key", "instead"], rows), ""].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

function inCell(text: string): string {
  return text.replaceAll("|", "\\|");
}
