/** The folder of a devnet: ours alone while it runs, and never one that holds something else. */

import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../home/errors.ts";
import { DirectoryLock } from "../storage/directory-lock.ts";
import { StorageError } from "../storage/errors.ts";
import { DevnetError } from "./errors.ts";

/** Says that the folder is a devnet's, and that the next one may remove the homes in it. */
const markerName = "devnet.txt";

const markerText =
  "Made by `evm devnet`. The next devnet here removes node-1, node-2 and so on: keep nothing in them.\n";

/** Makes the folder if need be, and takes its lock. Throws DevnetError. */
export async function claimFolder(directory: string): Promise<DirectoryLock> {
  try {
    await makeDirectory(directory);
    await refuseForeign(directory);
    const lock = await DirectoryLock.acquire(directory);
    try {
      await writeFile(join(directory, markerName), markerText, { mode: 0o600 });
    } catch (error) {
      await lock.release();
      throw error;
    }
    return lock;
  } catch (error) {
    throw explain(directory, error);
  }
}

/**
 * With its parents. Node's own way to do that never ends where a file system answers ENOENT for a
 * new directory in one that exists, as `/proc` does.
 */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST") return;
    const parent = dirname(path);
    if (errno !== "ENOENT" || existsSync(parent)) throw error;
    await makeDirectory(parent);
    await mkdir(path, { mode: 0o700 });
  }
}

async function refuseForeign(directory: string): Promise<void> {
  const names = await readdir(directory);
  if (names.every((name) => name === ".lock")) return;
  if (names.includes(markerName) && (await readMarker(directory)).startsWith("Made by")) return;
  throw new DevnetError(
    { code: "DEVNET_FOREIGN_DIRECTORY", directory },
    `${directory} is not empty and was not made by evm devnet, which removes what it finds. ` +
      "Give --dir a new or an empty folder.",
  );
}

async function readMarker(directory: string): Promise<string> {
  return await readFile(join(directory, markerName), "utf8");
}

function explain(directory: string, error: unknown): DevnetError {
  if (error instanceof DevnetError) return error;
  if (error instanceof StorageError && error.detail.code === "STORAGE_LOCKED") {
    return new DevnetError(
      { code: "DEVNET_LOCKED", directory },
      `a devnet runs in ${directory} already: ${error.detail.holder}. ` +
        "Stop that one, or give this one a folder of its own with --dir.",
      { cause: error },
    );
  }
  const cause = error instanceof StorageError ? (error.cause ?? error) : error;
  return new DevnetError(
    { code: "DEVNET_IO", directory },
    `cannot use the folder ${directory} (${errnoOf(cause)}). ` +
      "Change its owner or make room on its disk, or give another one with --dir.",
    { cause: error },
  );
}
