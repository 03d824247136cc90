/** Opening `blocks.mdb`: whose file it is, and whose chain. */

import { randomBytes } from "node:crypto";
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
import { syncDirectory } from "./disk.ts";
import { Environment } from "./environment.ts";
import { corrupt } from "./errors.ts";
import { textKey } from "./keys.ts";
import type { SpaceLimits } from "./space.ts";
import type { DiskObserver } from "./watched-disk.ts";

/** Opens or creates the file. Throws {@link StorageError} unless it holds the chain of `genesis`. */
export async function openBlockFile(
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
