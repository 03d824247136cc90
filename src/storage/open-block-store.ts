/** Opening the block store: whose file it is, and whose chain. */

import { randomBytes } from "node:crypto";
import { BlockStore } from "./block-store.ts";
import {
  blockFileName,
  blockFormatRecord,
  blockTableNames,
  blockTables,
  chainKey,
  formatKey,
  isNewBlockFile,
} from "./block-tables.ts";
import {
  type ChainIdentity,
  checkSameChain,
  decodeChainIdentity,
  encodeChainIdentity,
} from "./chain-identity.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { ensureDirectory, syncDirectory } from "./disk.ts";
import { Environment } from "./environment.ts";
import { corrupt } from "./errors.ts";
import { textKey } from "./keys.ts";
import type { SpaceLimits } from "./space.ts";
import type { DiskObserver } from "./watched-disk.ts";

export interface BlockStoreOptions extends Partial<SpaceLimits> {
  /** `<home>/data`; created if it is not there. */
  readonly directory: string;
  /** The directory's lock, if the caller holds it already, and keeps it; else the store takes one of its own. */
  readonly lock?: DirectoryLock;
  readonly genesis: ChainIdentity;
  /** Blocks within which a transaction's identity is known. */
  readonly txWindow: number;
  /** How long a block may wait for company on its way to the disk. */
  readonly flushDelayMs?: number;
  /** Hears of each write. */
  readonly disk?: DiskObserver;
}

const mebibyte = 1024 * 1024;
const flushDelayMsDefault = 20;
const fileMaxBytesDefault = mebibyte * mebibyte;
const freeMinBytesDefault = 64 * mebibyte;

/**
 * Takes the lock of a data directory, created if it is not there: whatever opens files in it does so
 * after this. Throws {@link StorageError}, STORAGE_LOCKED above all.
 */
export function lockDirectory(directory: string): Promise<DirectoryLock> {
  ensureDirectory(directory);
  return DirectoryLock.acquire(directory);
}

/** Opens or creates the store. Throws {@link StorageError} where it must not be used. */
export async function openBlockStore(options: BlockStoreOptions): Promise<BlockStore> {
  ensureDirectory(options.directory);
  const lock = options.lock === undefined ? await DirectoryLock.acquire(options.directory) : null;
  try {
    const { directory, genesis, disk = null } = options;
    const { fileMaxBytes = fileMaxBytesDefault, freeMinBytes = freeMinBytesDefault } = options;
    const space = { fileMaxBytes, freeMinBytes };
    const environment = await openBlockFile(directory, genesis, space, disk);
    try {
      const { txWindow, flushDelayMs = flushDelayMsDefault } = options;
      return new BlockStore({ environment, lock, genesis, txWindow, flushDelayMs });
    } catch (error) {
      await environment.close();
      throw error;
    }
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

/** Throws {@link StorageError} unless the file holds the chain of `genesis`. */
async function openBlockFile(
  directory: string,
  genesis: ChainIdentity,
  space: SpaceLimits,
  disk: DiskObserver | null,
): Promise<Environment> {
  const fileName = blockFileName;
  const tables = blockTableNames;
  const environment = new Environment({ directory, fileName, tables, space, disk });
  try {
    await createIfNew(environment, genesis, directory);
    const { meta } = blockTables(environment);
    const chain = meta.get(textKey(chainKey), chainKey);
    if (chain === null) throw corrupt(meta.place(chainKey), "is missing");
    const found = decodeChainIdentity(chain, meta.place(chainKey));
    checkSameChain(environment.path, genesis, found);
    return environment;
  } catch (error) {
    await environment.close();
    throw error;
  }
}

async function createIfNew(
  environment: Environment,
  genesis: ChainIdentity,
  directory: string,
): Promise<void> {
  const tables = blockTables(environment);
  if (!isNewBlockFile(tables, environment.path)) return;
  const { meta } = tables;
  const format = blockFormatRecord(new Uint8Array(randomBytes(16)));
  const chain = encodeChainIdentity(genesis);
  await environment.commit(format.length + chain.length, () => {
    meta.put(textKey(formatKey), format);
    meta.put(textKey(chainKey), chain);
  });
  // LMDB syncs what is in its file. That the file is in the directory is another write.
  await syncDirectory(directory);
}
