/** Directories and file systems: what may hold state, how much is left, and what a rename needs to last. */

import { chmodSync, existsSync, mkdirSync, statfsSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
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
    mkdirSync(directory, { recursive: true, mode: 0o700 });
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

export interface SpaceLimits {
  /** Writing stops before fewer bytes than this are left on the file system. */
  readonly freeMinBytes: number;
  /** Writing stops before the file grows beyond this. */
  readonly fileMaxBytes: number;
}

const measureEveryMs = 100;
const measureEveryBytes = 1024 * 1024;

/**
 * Stops writing while there is still room. LMDB may be killed by a signal on a full disk, and a node
 * that can no longer write its vote should say so while the operator can still log in.
 */
export class SpaceGuard {
  readonly #directory: string;
  readonly #path: string;
  readonly #limits: SpaceLimits;
  #freeBytes = 0;
  #fileBytes = 0;
  #writtenBytes = 0;
  #measuredMs = Number.NEGATIVE_INFINITY;

  constructor(directory: string, path: string, limits: SpaceLimits) {
    this.#directory = directory;
    this.#path = path;
    this.#limits = limits;
  }

  /** Throws STORAGE_FULL unless `bytes` more may be written. */
  reserve(bytes: number): void {
    this.#writtenBytes += bytes;
    const nowMs = performance.now();
    const isDue = nowMs - this.#measuredMs >= measureEveryMs;
    if (isDue || this.#writtenBytes >= measureEveryBytes) this.#measure(nowMs, bytes);
    if (this.#freeBytes - this.#writtenBytes < this.#limits.freeMinBytes) {
      throw diskFull(this.#directory, this.#freeBytes);
    }
    if (this.#fileBytes + this.#writtenBytes > this.#limits.fileMaxBytes) {
      throw fileFull(this.#path, this.#directory, this.#limits.fileMaxBytes, this.#freeBytes);
    }
  }

  #measure(nowMs: number, bytes: number): void {
    this.#freeBytes = freeBytesIn(this.#directory);
    this.#fileBytes = statSync(this.#path).size;
    this.#writtenBytes = bytes;
    this.#measuredMs = nowMs;
  }
}

/** Bytes that an unprivileged process may still write in `directory`'s file system. */
export function freeBytesIn(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

export function diskFull(directory: string, freeBytes: number, cause?: unknown): StorageError {
  return new StorageError(
    { code: "STORAGE_FULL", directory, freeBytes },
    `The disk of ${directory} is full (${freeBytes} bytes free). Free some space and start again; ` +
      "nothing that was acknowledged is lost.",
    { cause },
  );
}

function fileFull(
  path: string,
  directory: string,
  fileMaxBytes: number,
  freeBytes: number,
): StorageError {
  return new StorageError(
    { code: "STORAGE_FULL", directory, freeBytes },
    `${path} has reached its limit of ${fileMaxBytes} bytes (${freeBytes} bytes are free on its disk). ` +
      "Raise the limit and start again; nothing that was acknowledged is lost.",
  );
}
