/** Directories with those above them. */

import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Creates `directory`, and those above it that are missing, with `mode`; one that is there stays as it is. Throws what the
 * system says. Not by Node's `recursive`, which never returns where that is ENOENT although the parent is there, as in /proc.
 */
export function makeDirectory(directory: string, mode: number): void {
  if (isDirectory(directory)) return;
  const parent = dirname(directory);
  if (parent !== directory) makeDirectory(parent, mode);
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    // Somebody else may have been quicker.
    if (!isDirectory(directory)) throw error;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
