/** What can go wrong between this process and its disk. Every message ends in what to do about it. */

import { CodedError, describeError } from "../base/coded-error.ts";

export class StorageError extends CodedError<
  | { readonly code: "STORAGE_LOCKED"; readonly directory: string; readonly holder: string }
  | { readonly code: "STORAGE_VOLATILE"; readonly directory: string; readonly fileSystem: string }
  | { readonly code: "STORAGE_NO_ACCESS"; readonly path: string; readonly errno: string }
  /** Not a file of ours at all. */
  | { readonly code: "STORAGE_FOREIGN_FILE"; readonly path: string }
  | { readonly code: "STORAGE_VERSION"; readonly path: string; readonly foundVersion: number }
  | {
      readonly code: "STORAGE_CORRUPT";
      readonly path: string;
      readonly database: string;
      readonly key: string;
    }
  | { readonly code: "STORAGE_FULL"; readonly directory: string; readonly freeBytes: number }
  | { readonly code: "STORAGE_IO"; readonly path: string; readonly errno: string }
  | { readonly code: "STORAGE_CLOSED"; readonly path: string }
  | {
      readonly code: "STORAGE_FOREIGN_CHAIN";
      readonly path: string;
      readonly expected: string;
      readonly found: string;
    }
  | {
      readonly code: "STORAGE_FOREIGN_NODE";
      readonly path: string;
      readonly expected: string;
      readonly found: string;
    }
  | {
      readonly code: "STORAGE_DOUBLE_SIGN";
      readonly height: number;
      readonly signedHash: string | null;
      readonly refusedHash: string;
    }
> {}

/** Where a stored value lies, for the sentence that says it is damaged. */
export interface Place {
  readonly path: string;
  readonly database: string;
  readonly key: string;
}

export function corrupt(place: Place, problem: string, cause?: unknown): StorageError {
  return new StorageError(
    { code: "STORAGE_CORRUPT", ...place },
    `${place.path} is damaged: ${place.database} ${place.key} ${problem}. ` +
      "Check the disk, then move the node's raft directory and block data away and start again: " +
      "it comes back from its peers. Never do that on two members at a time.",
    { cause },
  );
}

/** Turns what `node:fs` threw into an error that names the path and the way out. */
export function ioError(path: string, cause: unknown): StorageError {
  const errno = errnoOf(cause);
  switch (errno) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new StorageError(
        { code: "STORAGE_NO_ACCESS", path, errno },
        `${path} cannot be written (${errno}). Let the user that runs the node own it, ` +
          "and mount its file system read-write.",
        { cause },
      );
    case "ENOTDIR":
    case "EEXIST":
      return new StorageError(
        { code: "STORAGE_NO_ACCESS", path, errno },
        `${path} is not a directory (${errno}). Move the file away or name another directory.`,
        { cause },
      );
    case "ENOSPC":
    case "EDQUOT":
      return new StorageError(
        { code: "STORAGE_IO", path, errno },
        `${path} cannot be written: its disk is full (${errno}). Free some space and start again; ` +
          "nothing that was acknowledged is lost.",
        { cause },
      );
    default:
      return new StorageError(
        { code: "STORAGE_IO", path, errno },
        `${path}: ${describeError(cause)}. Check the disk and the system's log.`,
        { cause },
      );
  }
}

/** The `code` of a `node:fs` error, such as ENOENT; "unknown" for anything else. */
export function errnoOf(error: unknown): string {
  const hasCode = error instanceof Error && "code" in error && typeof error.code === "string";
  return hasCode ? String(error.code) : "unknown";
}
