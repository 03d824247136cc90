/** Directories and file systems: what may hold state, how much is left, and what a rename needs to last. */

import { chmodSync, existsSync, statfsSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { makeDirectory } from "../base/make-directory.ts";
import { ioError, StorageError } from "./errors.ts";

/** Linux's `f_type` of file systems that lose or tear what LMDB writes. */
const volatileFileSystems: ReadonlyMap<number, string> = new Map([
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
  [0x6969, "NFS"],
]);

/** Creates `directory` for its owner alone. Throws {@link StorageError} if it cannot be one. */
export function ensureDirectory(directory: string): void {
  try {
    if (existsSync(directory) && statSync(directory).isDirectory()) return;
    makeDirectory(directory, 0o700);
    chmodSync(directory, 0o700);
  } catch (error) {
    throw ioError(directory, error);
  }
}

/** Throws STORAGE_VOLATILE on tmpfs, which forgets votes in a power cut, and NFS, which LMDB cannot map safely. */
export function refuseVolatile(directory: string): void {
  const fileSystem = volatileFileSystems.get(statfsSync(directory).type);
  if (fileSystem === undefined) return;
  throw new StorageError(
    { code: "STORAGE_VOLATILE", directory, fileSystem },
    `${directory} is on ${fileSystem}, where a vote or a log entry may not survive. ` +
      "Name a directory on a local disk.",
  );
}

/** Makes creations, renames and removals in `directory` last through a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Bytes that an unprivileged process may still write in `directory`'s file system. */
export function freeBytesIn(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** The file system of `directory`, as an unprivileged process sees it; null if it cannot be asked. */
export function diskSpaceOf(directory: string): DiskSpace | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(directory);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    // The directory is gone, or its disk does not answer: who writes there will say so.
    return null;
  }
}

export interface DiskSpace {
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** Less is free than must be to go on. */
export interface Shortage {
  readonly freeBytes: number;
  readonly neededBytes: number;
}

export function diskFull(
  directory: string,
  { freeBytes, neededBytes }: Shortage,
  cause?: unknown,
): StorageError {
  return new StorageError(
    { code: "STORAGE_FULL", directory, freeBytes },
    `The disk of ${directory} is full: ${mebibytes(freeBytes)} are free, and ${mebibytes(neededBytes)} are ` +
      "needed. Free some space and start again; nothing that was acknowledged is lost.",
    { cause },
  );
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}
