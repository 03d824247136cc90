/** What can be wrong with the files of a home directory. Messages name the file, the field and the way out. */

import { CodedError } from "../base/coded-error.ts";

export class HomeError extends CodedError<
  | { readonly code: "HOME_MISSING"; readonly path: string }
  | { readonly code: "HOME_EXISTS"; readonly path: string }
  /** The file system said no. */
  | { readonly code: "HOME_IO"; readonly path: string; readonly errno: string }
  /** Not JSON, or not an object. */
  | { readonly code: "HOME_JSON"; readonly path: string }
  /** A field is missing, or holds what it cannot. */
  | { readonly code: "HOME_FIELD"; readonly path: string; readonly field: string }
  | { readonly code: "HOME_PASSPHRASE"; readonly path: string }
> {}

export function fieldError(path: string, field: string, sentence: string): HomeError {
  return new HomeError({ code: "HOME_FIELD", path, field }, `${path}: ${sentence}`);
}

export function missing(path: string, advice: string, cause?: unknown): HomeError {
  return new HomeError({ code: "HOME_MISSING", path }, `${path} does not exist. ${advice}`, {
    cause,
  });
}

export function existing(path: string, cause?: unknown): HomeError {
  const advice = "Move it away first if you really want a new one";
  const message = `${path} exists already, and is not overwritten. ${advice}`;
  return new HomeError({ code: "HOME_EXISTS", path }, message, { cause });
}

export function notJson(path: string, problem: string, advice: string, cause?: unknown): HomeError {
  return new HomeError({ code: "HOME_JSON", path }, `${path} ${problem}. ${advice}`, { cause });
}

/** The cipher cannot tell a wrong passphrase from a damaged file. */
export function wrongPassphrase(path: string, cause: unknown): HomeError {
  const advice =
    "Check it where it comes from, a file, a credential or a variable; if it is right, the signer file is damaged: " +
    "copy it from another member of the cluster";
  const message = `the passphrase does not open ${path}. ${advice}`;
  return new HomeError({ code: "HOME_PASSPHRASE", path }, message, { cause });
}

export function emptyPassphrase(path: string): HomeError {
  const advice =
    "Put one into the file of --evnode.signer.passphrase_file, or into EV_SIGNER_PASSPHRASE";
  const message = `the passphrase of ${path} is empty. ${advice}`;
  return new HomeError({ code: "HOME_PASSPHRASE", path }, message);
}

/** A failed read or write of `path`, with advice for the usual reasons. */
export function ioError(verb: "read" | "write", path: string, cause: unknown): HomeError {
  const errno = errnoOf(cause);
  const advice = adviceFor.get(errno) ?? "Check the file system and the owner of the directory";
  return new HomeError(
    { code: "HOME_IO", path, errno },
    `cannot ${verb} ${path} (${errno}). ${advice}`,
    { cause },
  );
}

export function errnoOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "unknown";
}

const adviceFor = new Map([
  ["EACCES", "Give the user that runs evm access to it, or point --home elsewhere"],
  ["EPERM", "Give the user that runs evm access to it, or point --home elsewhere"],
  ["EROFS", "The file system is read-only: mount it writable, or point --home elsewhere"],
  ["ENOSPC", "The disk is full: make room, and try again"],
  ["EDQUOT", "The quota is used up: make room, and try again"],
  ["ENOTDIR", "A part of the path is a file, not a directory: check --home"],
  ["EEXIST", "A part of the path is a file, not a directory: check --home"],
  ["EISDIR", "It is a directory: move it away, and try again"],
]);
