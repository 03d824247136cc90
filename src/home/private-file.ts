/** Small files that must be whole and private: written aside, synced, moved into place. */

import { randomBytes } from "node:crypto";
import { link, open, readFile, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory } from "../base/make-directory.ts";
import { errnoOf, existing, HomeError, ioError, missing } from "./errors.ts";

const fileMode = 0o600;
const directoryMode = 0o700;

/** The text of `path`. Throws HomeError: HOME_MISSING with `advice`, or HOME_IO. */
export async function readText(path: string, advice: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw ioError("read", path, cause);
    throw missing(path, advice, cause);
  }
}

/**
 * Writes `text` to `path` so that a crash leaves the old file or the new one, never half of one; when
 * this resolves, it is on disk. Throws HomeError: HOME_EXISTS unless `overwrite`, or HOME_IO.
 */
export async function writePrivateFile(
  path: string,
  text: string,
  options: { readonly overwrite: boolean },
): Promise<void> {
  const directory = dirname(path);
  const aside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    makeDirectory(directory, directoryMode);
    try {
      await writeSynced(aside, text);
      await (options.overwrite ? rename(aside, path) : linkNew(aside, path));
    } finally {
      await unlink(aside).catch(ignoreMissing);
    }
    await syncDirectory(directory);
  } catch (error) {
    throw error instanceof HomeError ? error : ioError("write", path, error);
  }
}

/** A link, unlike a rename, fails where a file is already. */
async function linkNew(aside: string, path: string): Promise<void> {
  try {
    await link(aside, path);
  } catch (cause) {
    throw errnoOf(cause) === "EEXIST" ? existing(path, cause) : cause;
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", fileMode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The file's name is on disk only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== "ENOENT") throw error;
}
