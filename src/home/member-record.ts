/**
 * That a home is a member's of a cluster, and who its members are: kept beside the blocks, and beside the configuration,
 * which may lose the key that says where the blocks are. Without it a configuration that has lost its raft section would
 * make the member a single sequencer, which signs the heights that the others build as well.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf, HomeError, ioError } from "./errors.ts";
import { homeLayout } from "./layout.ts";
import { writePrivateFile } from "./private-file.ts";

/** Where a node keeps it. */
export interface MemberRecordPlaces {
  readonly home: string;
  readonly dbPath: string;
}

export interface MemberRecord {
  /** The node_ids of all members, this one among them; empty if none of the files can be understood. */
  readonly members: readonly string[];
  /** The files there are. */
  readonly paths: readonly string[];
}

const recordSchema = z.object({ members: z.array(z.string()) });

/** The first is always written, the second where the home's configuration may be. */
export function memberRecordPaths({ home, dbPath }: MemberRecordPlaces): readonly [string, string] {
  return [join(dbPath, "member.json"), join(homeLayout(home).configDir, "member.json")];
}

/** null of a home that never was a member's. Throws HomeError, HOME_IO. */
export function readMemberRecord(places: MemberRecordPlaces): MemberRecord | null {
  const found = memberRecordPaths(places).flatMap((path) => {
    const text = textOf(path);
    return text === null ? [] : [{ path, members: membersIn(text) }];
  });
  if (found.length === 0) return null;
  return {
    members: [...new Set(found.flatMap(({ members }) => members))].sort(),
    paths: found.map(({ path }) => path),
  };
}

/**
 * On disk when this resolves, beside the blocks at least; `onSkipped` hears why it is not beside the configuration, which
 * others may write alone. Throws HomeError, HOME_IO.
 */
export async function writeMemberRecord(
  places: MemberRecordPlaces,
  members: readonly string[],
  onSkipped: (reason: string) => void,
): Promise<void> {
  const all = [...new Set(members)].sort();
  const [besideBlocks, besideConfig] = memberRecordPaths(places);
  await writeRecord(besideBlocks, all);
  try {
    await writeRecord(besideConfig, all);
  } catch (error) {
    if (!(error instanceof HomeError)) throw error;
    onSkipped(error.message);
  }
}

async function writeRecord(path: string, members: readonly string[]): Promise<void> {
  const text = `${JSON.stringify({ members }, null, 2)}\n`;
  if (textOf(path) !== text) await writePrivateFile(path, text, { overwrite: true });
}

/** null if there is no such file. */
function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw ioError("read", path, cause);
  }
}

function membersIn(text: string): readonly string[] {
  try {
    return recordSchema.parse(JSON.parse(text)).members;
  } catch {
    return [];
  }
}
