/**
 * Room on the disk, taken before LMDB needs it. A write that fails inside LMDB's commit corrupts the
 * process (its clean-up frees pages twice), so none may fail: the file always extends, in blocks that the
 * file system has given away, past all that the next commit can touch.
 *
 *   0 ........ used by LMDB ........ + the next commit, at most ........ end of file
 */
import { statSync } from "node:fs";
import { open } from "node:fs/promises";
import { diskFull, freeBytesIn, type Shortage } from "./disk.ts";
import { errnoOf, ioError, StorageError } from "./errors.ts";

export interface SpaceLimits {
  /** Writing stops before fewer bytes than this are left on the file system. */
  readonly freeMinBytes: number;
  /** Writing stops before the file grows beyond this. */
  readonly fileMaxBytes: number;
}

/** Pages of the trees' upper levels and of the list of free pages, whatever a commit writes. */
const commitOverheadBytes = 256 * 1024;

/** The file grows by at least this: the next fsync writes it along, and a commit should not feel it. */
const growthBytes = 1024 * 1024;

/**
 * How far the file should reach beyond what LMDB uses. Each commit is assumed to take all that it might,
 * so the more of this there is, the more seldom LMDB has to be asked what it really took.
 */
const aheadBytes = 16 * commitOverheadBytes;

const zeros = new Uint8Array(growthBytes);

const measureEveryMs = 100;

export class Space {
  readonly #directory: string;
  readonly #path: string;
  readonly #limits: SpaceLimits;
  readonly #measureUsed: () => number;
  /** At most what LMDB uses; measured anew when it seems to reach the end of the file. */
  #usedBytes = 0;
  #fileBytes = 0;
  #measuredMs = Number.NEGATIVE_INFINITY;

  /** `measureUsed` says how far into the file LMDB's pages go. */
  constructor(
    directory: string,
    path: string,
    dependencies: { readonly limits: SpaceLimits; readonly measureUsed: () => number },
  ) {
    this.#directory = directory;
    this.#path = path;
    this.#limits = dependencies.limits;
    this.#measureUsed = dependencies.measureUsed;
  }

  /** What is free, and what must be so that a commit may begin. */
  get shortage(): Shortage {
    const freeBytes = freeBytesIn(this.#directory);
    return { freeBytes, neededBytes: this.#limits.freeMinBytes + growthBytes };
  }

  /** null: a file of `bytes` beside this one leaves what commits need. */
  shortageFor(bytes: number): Shortage | null {
    const { freeBytes, neededBytes } = this.shortage;
    return freeBytes >= neededBytes + bytes
      ? null
      : { freeBytes, neededBytes: neededBytes + bytes };
  }

  /**
   * null: a commit of `bytes` cannot fail for lack of space. Else the file grows first, and the promise
   * says when it has. Throws, or rejects with, STORAGE_FULL.
   */
  reserve(bytes: number): Promise<void> | null {
    this.#checkFree();
    const neededBytes = bytes + commitOverheadBytes;
    const isAtEnd = this.#usedBytes + neededBytes > this.#fileBytes;
    if (isAtEnd) this.#usedBytes = this.#measureUsed();
    // The file is asked only at its seeming end: nobody but us makes it longer, and LMDB never shorter.
    if (this.#usedBytes + neededBytes > this.#fileBytes) {
      this.#fileBytes = statSync(this.#path).size;
    }
    const isShort = isAtEnd && this.#usedBytes + neededBytes + aheadBytes > this.#fileBytes;
    this.#usedBytes += neededBytes;
    if (this.#usedBytes > this.#limits.fileMaxBytes) throw this.#fileFull();
    return isShort ? this.#grow(this.#usedBytes) : null;
  }

  #checkFree(): void {
    const nowMs = performance.now();
    if (nowMs - this.#measuredMs < measureEveryMs) return;
    const freeBytes = freeBytesIn(this.#directory);
    if (freeBytes < this.#limits.freeMinBytes) throw diskFull(this.#directory, this.shortage);
    this.#measuredMs = nowMs;
  }

  async #grow(toBytes: number): Promise<void> {
    const wantedBytes = Math.max(toBytes, this.#fileBytes + growthBytes);
    const targetBytes = Math.min(wantedBytes, this.#limits.fileMaxBytes);
    if (targetBytes <= this.#fileBytes) return;
    const failure = await appendZeros(this.#path, targetBytes - this.#fileBytes);
    this.#fileBytes = statSync(this.#path).size;
    // Less than asked for is still enough for this commit.
    if (this.#fileBytes >= toBytes) return;
    throw this.#growthError(failure);
  }

  #growthError(cause: unknown): StorageError {
    if (!outOfSpace.has(errnoOf(cause))) return ioError(this.#path, cause);
    return diskFull(this.#directory, this.shortage, cause);
  }

  #fileFull(): StorageError {
    const directory = this.#directory;
    const freeBytes = freeBytesIn(directory);
    return new StorageError(
      { code: "STORAGE_FULL", directory, freeBytes },
      `${this.#path} has reached its limit of ${this.#limits.fileMaxBytes} bytes (${freeBytes} bytes ` +
        "are free on its disk). Raise storage.map_size and start again; nothing that was acknowledged is lost.",
    );
  }
}

const outOfSpace: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/**
 * Real zeros, since a hole takes its blocks only when it is written. Always behind the end, wherever that
 * is by then, so no page of LMDB's is ever overwritten. Returns why it stopped early, if it did.
 */
async function appendZeros(path: string, bytes: number): Promise<unknown> {
  try {
    const file = await open(path, "a");
    try {
      for (let left = bytes; left > 0; left -= growthBytes) {
        await file.appendFile(zeros.subarray(0, left));
      }
    } finally {
      await file.close();
    }
    return null;
  } catch (error) {
    return error;
  }
}
