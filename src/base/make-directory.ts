/** Directories with those above them. */

import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Creates `directory`, and those above it that are missing, with `mode`; one that is there stays as it is. Not by Node's
 * `recursive`, which never returns where the system says ENOENT of a parent that is there, as /proc does.
 */
export function makeDirectory(directory: string, mode: number): void {
  if (existsSync(directory)) return;
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent, mode);
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    // Somebody else was quicker. Not so a link to nothing.
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!isThere || !existsSync(directory)) throw error;
  }
}
