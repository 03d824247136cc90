/** What an operator or a broken disk does to the directories of a node that does not run. */

import { readdirSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LocalNode } from "../../../src/devnet/local-node.ts";

export function loseRaftDir({ place }: LocalNode): Promise<void> {
  return rm(join(place.home, "raft"), { recursive: true });
}

/** Blocks and the executor's state. */
export function loseData(node: LocalNode): Promise<void> {
  return rm(dataOf(node), { recursive: true });
}

/** The executor's state alone: at the next start it runs all stored blocks again. */
export async function loseExecutorState(node: LocalNode): Promise<void> {
  const names = readdirSync(dataOf(node)).filter((name) => name.startsWith("kv.mdb"));
  if (names.length === 0) throw new Error(`${node.id} has no executor's state to lose`);
  for (const name of names) await rm(join(dataOf(node), name));
}

/** A copy of its data as they are now. */
export async function backUpData(node: LocalNode): Promise<void> {
  await cp(dataOf(node), backupOf(node), { recursive: true });
}

/** The copy in the place of its data. */
export async function restoreData(node: LocalNode): Promise<void> {
  await loseData(node);
  await cp(backupOf(node), dataOf(node), { recursive: true });
}

function dataOf({ place }: LocalNode): string {
  return join(place.home, "data");
}

function backupOf({ place }: LocalNode): string {
  return join(place.home, "data-backup");
}
