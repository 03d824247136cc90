/** Opening the Raft store: everything that may be wrong with a directory is found here, before the node speaks. */

import { randomBytes } from "node:crypto";
import { DirectoryLock } from "./directory-lock.ts";
import { ensureDirectory, refuseVolatile, syncDirectory } from "./disk.ts";
import { Environment } from "./environment.ts";
import { ioError, type StorageError } from "./errors.ts";
import { textKey } from "./keys.ts";
import { LmdbRaftStore } from "./lmdb-raft-store.ts";
import { claimFor, type RaftOwner } from "./raft-owner.ts";
import type { RaftState } from "./raft-state.ts";
import type { RaftStore } from "./raft-store.ts";
import {
  formatKey,
  formatRecord,
  type RaftTables,
  raftFileName,
  raftTableNames,
  raftTables,
  readIncarnation,
  readRaftState,
} from "./raft-tables.ts";
import { SnapshotFiles } from "./snapshot-files.ts";

export interface RaftStoreOptions {
  /** `raft.raft_dir`; created if it is not there. */
  readonly directory: string;
  /** Whose it is; null where nobody asks, as in tests. */
  readonly owner?: RaftOwner | null;
  /** `raft.snap_count`. */
  readonly snapshotsKept?: number;
  /** Allow tmpfs and NFS, where votes may be forgotten. For tests and throw-away clusters. */
  readonly allowVolatile?: boolean;
  /** The file may not grow beyond this; also the address space that is reserved for it. */
  readonly fileMaxBytes?: number;
  /** Writing stops before the disk has less than this left. */
  readonly freeMinBytes?: number;
  /** Told of a snapshot that cannot be read; an older one is used. */
  readonly onDamagedSnapshot?: (path: string, error: StorageError) => void;
}

const mebibyte = 1024 * 1024;
const fileMaxBytesDefault = 64 * 1024 * mebibyte;
const freeMinBytesDefault = 64 * mebibyte;
const snapshotsKeptDefault = 3;

/** Opens or creates the store. Throws {@link StorageError} where it must not be used. */
export async function openRaftStore(options: RaftStoreOptions): Promise<RaftStore> {
  const { directory } = options;
  ensureDirectory(directory);
  if (options.allowVolatile !== true) refuseVolatile(directory);
  const lock = await DirectoryLock.acquire(directory);
  let environment: Environment | null = null;
  try {
    environment = new Environment({
      directory,
      fileName: raftFileName,
      tables: raftTableNames,
      space: {
        fileMaxBytes: options.fileMaxBytes ?? fileMaxBytesDefault,
        freeMinBytes: options.freeMinBytes ?? freeMinBytesDefault,
      },
    });
    const tables = raftTables(environment);
    const incarnation =
      readIncarnation(tables, environment.path) ?? (await create(environment, tables, directory));
    const { owner = null } = options;
    if (owner !== null) await claimFor(owner, environment, tables);
    const snapshots = new SnapshotFiles({
      directory,
      keep: options.snapshotsKept ?? snapshotsKeptDefault,
      onDamaged: options.onDamagedSnapshot ?? (() => {}),
    });
    const stored = readRaftState(tables);
    checkSnapshots(snapshots, stored.state, directory);
    return new LmdbRaftStore({ environment, tables, snapshots, lock, incarnation, ...stored });
  } catch (error) {
    await environment?.close();
    await lock.release();
    throw error;
  }
}

async function create(
  environment: Environment,
  { stable }: RaftTables,
  directory: string,
): Promise<Uint8Array> {
  const incarnation = new Uint8Array(randomBytes(16));
  const record = formatRecord(incarnation);
  await environment.commit(record.length, () => stable.put(textKey(formatKey), record));
  // LMDB syncs what is in its file. That the file is in the directory is another write.
  await syncDirectory(directory);
  return incarnation;
}

function checkSnapshots(
  snapshots: SnapshotFiles,
  { snapshotLast, outline }: RaftState,
  directory: string,
): void {
  try {
    snapshots.removeUnfinished();
    snapshots.removeNewerThan(snapshotLast);
    snapshots.prune(snapshotLast);
  } catch (error) {
    throw ioError(directory, error);
  }
  if (snapshotLast.index === 0) return;
  snapshots.between(outline.firstIndex - 1, snapshotLast);
}
