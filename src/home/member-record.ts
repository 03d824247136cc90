/**
 * That the blocks below `db_path` are those of a member of a cluster, and who its members are. Without it a
 * configuration that has lost its raft section would make the member a single sequencer, which signs the heights
 * that the others build as well.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf, ioError } from "./errors.ts";
import { writePrivateFile } from "./private-file.ts";

const recordSchema = z.object({ members: z.array(z.string()) });

export function memberRecordPath(dbPath: string): string {
  return join(dbPath, "member.json");
}

/** The node_ids of all members, this one among them; empty if the record is there and cannot be understood. null without one. */
export function readMemberRecord(dbPath: string): readonly string[] | null {
  const path = memberRecordPath(dbPath);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw ioError("read", path, cause);
  }
  return membersIn(text);
}

/** On disk when this resolves. Throws HomeError, HOME_IO. */
export async function writeMemberRecord(dbPath: string, members: readonly string[]): Promise<void> {
  const known = readMemberRecord(dbPath);
  const sorted = [...members].sort();
  if (known !== null && known.join() === sorted.join()) return;
  const text = `${JSON.stringify({ members: sorted }, null, 2)}\n`;
  await writePrivateFile(memberRecordPath(dbPath), text, { overwrite: true });
}

function membersIn(text: string): readonly string[] {
  try {
    return recordSchema.parse(JSON.parse(text)).members;
  } catch {
    return [];
  }
}
