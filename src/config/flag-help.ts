/** The part of `--help` that lists the settings: one line a key, under its section. */

import { allKeys, type NamedKey, sectionNames } from "./schema.ts";

/** Flags of keys that do something; those only known from ev-node are left out. */
export function printFlagHelp(): string {
  const lines = [
    "Settings (also in evnode.yaml, or as variables: --evnode.raft.node_id is EVNODE_RAFT_NODE_ID):",
    "  --home=DIRECTORY  home directory (default ~/.evm)",
  ];
  for (const section of sectionNames()) {
    const keys = allKeys.filter((key) => key.section === section && key.use === "used");
    if (keys.length > 0) lines.push("", ...keys.map(printFlag));
  }
  return lines.join("\n");
}

function printFlag(key: NamedKey): string {
  const value = key.type === "bool" ? "" : `=${key.type.replaceAll(" ", "_")}`;
  const initial = key.initial === "" ? "" : ` (default ${key.initial})`;
  const [sentence = ""] = key.about.split(/(?<=\.) /);
  return `  ${key.flag}${value}${initial}\n      ${sentence}`;
}
