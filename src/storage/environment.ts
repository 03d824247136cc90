/**
 * One LMDB file, opened so that a commit is durable before it is answered, and written without ever
 * blocking this thread.
 *
 * `overlappingSync: false` makes `lmdb` run LMDB's own commit on a thread of libuv's pool: pages, fsync,
 * then the meta page through a descriptor opened with O_DSYNC, and only then the promise. (Its default
 * answers before the fsync.) Measured here for 512 bytes, median: 0.39 ms; its default followed by
 * `flushed` 0.44 ms; `putSync`, which blocks, 0.35 ms.
 */
import { type Database, open, type RootDatabase } from "lmdb";
import { describeError } from "../base/coded-error.ts";
import { diskFull, type Shortage } from "./disk.ts";
import { corrupt, ioError, StorageError } from "./errors.ts";
import { checkMdbFile, foreign } from "./mdb-header.ts";
import { Space, type SpaceLimits } from "./space.ts";
import { Table } from "./table.ts";
import type { DiskObserver } from "./watched-disk.ts";

export interface EnvironmentOptions {
  readonly directory: string;
  readonly fileName: string;
  /** Every table the file has. Missing ones are created in a new file, and refused in an old one. */
  readonly tables: readonly string[];
  readonly space: SpaceLimits;
  readonly disk?: DiskObserver | null;
}

const bytesOnly = { encoding: "binary", keyEncoding: "binary" } as const;

/** Known to `lmdb`, and missing in its types. */
const ownerOnly = { permissionsMode: 0o600 };
/** `lmdb` starts its writer behind the batch, before the event loop waits for anything (`setImmediate`). */
const writesAtOnce = { txnStartThreshold: 1 };

export class Environment {
  readonly path: string;
  readonly #directory: string;
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #space: Space;
  readonly #disk: DiskObserver | null;
  #failure: StorageError | null = null;
  #closing: Promise<void> | null = null;

  /** Opens or creates the file. Throws {@link StorageError} for one that is not ours. */
  constructor({ directory, fileName, tables, space, disk = null }: EnvironmentOptions) {
    this.path = `${directory}/${fileName}`;
    this.#disk = disk;
    this.#directory = directory;
    const { isNew } = checkMdbFile(this.path);
    this.#root = openRoot(this.path, tables.length, space.fileMaxBytes);
    try {
      const whyClosed = () => (this.#closing === null ? null : this.closedError());
      this.#tables = openTables(this.#root, { path: this.path, names: tables, isNew, whyClosed });
      this.#space = new Space(directory, this.path, {
        limits: space,
        measureUsed: () => usedBytes(this.#root, this.path),
      });
    } catch (error) {
      void this.#root.close();
      throw error;
    }
  }

  /** One of the tables named at opening. */
  table(name: string): Table {
    const table = this.#tables.get(name);
    if (table === undefined) throw new TypeError(`${this.path} has no table ${name}`);
    return table;
  }

  /**
   * Runs `write`, whose puts and removals become one transaction of about `sizeBytes`. Resolves once it
   * is on disk; reads see it from then on. A failure is final, since what is on disk is no longer
   * known: every later commit fails with it too. `write` must not throw, or half of it would be written.
   */
  async commit(sizeBytes: number, write: () => void): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#closing !== null) throw this.closedError();
    try {
      this.#disk?.began();
      // Without a wait where there is room.
      const growth = this.#space.reserve(sizeBytes);
      if (growth !== null) await growth;
      await this.#root.batch(write);
      this.#disk?.ended();
    } catch (error) {
      this.#failure = error instanceof StorageError ? error : await this.#commitError(error);
      throw this.#failure;
    }
  }

  /** null: a file of `bytes` in the same directory leaves what commits need. */
  shortageFor(bytes: number): Shortage | null {
    return this.#space.shortageFor(bytes);
  }

  /** Waits for the commit in flight. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#root.close();
    return this.#closing;
  }

  closedError(): StorageError {
    return new StorageError(
      { code: "STORAGE_CLOSED", path: this.path },
      `${this.path} is closed: the node is stopping.`,
    );
  }

  async #commitError(error: unknown): Promise<StorageError> {
    const cause = await nativeError(error);
    const isFull = cause instanceof Error && "code" in cause && fullCodes.has(Number(cause.code));
    if (isFull) return diskFull(this.#directory, this.#space.shortage, cause);
    return ioError(this.path, cause);
  }
}

/** ENOSPC, EDQUOT, EFBIG, MDB_MAP_FULL. */
const fullCodes: ReadonlySet<number> = new Set([28, 122, 27, -30792]);

/** `lmdb` rejects with a general error first; the reason is a promise on it. */
async function nativeError(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !("commitError" in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}

/** How far into the file LMDB's pages go. */
function usedBytes(root: RootDatabase<Uint8Array, Uint8Array>, path: string): number {
  const stats = root.getStats();
  const lastPage = "lastPageNumber" in stats ? stats.lastPageNumber : undefined;
  const pageBytes = "pageSize" in stats ? stats.pageSize : undefined;
  if (typeof lastPage === "number" && typeof pageBytes === "number") {
    return (lastPage + 1) * pageBytes;
  }
  throw corrupt({ path, database: "file", key: "statistics" }, "cannot be read");
}

function openRoot(
  path: string,
  tableCount: number,
  fileMaxBytes: number,
): RootDatabase<Uint8Array, Uint8Array> {
  try {
    return open<Uint8Array, Uint8Array>({
      path,
      ...bytesOnly,
      ...ownerOnly,
      ...writesAtOnce,
      noSubdir: true,
      maxDbs: tableCount,
      // Address space, not memory. LMDB never has to move the map below the limit that we enforce.
      mapSize: fileMaxBytes,
      overlappingSync: false,
      // Every commit is one explicit batch; waiting for the end of the turn would add nothing.
      eventTurnBatching: false,
    });
  } catch (error) {
    throw openError(path, error);
  }
}

function openTables(
  root: RootDatabase<Uint8Array, Uint8Array>,
  {
    path,
    names,
    isNew,
    whyClosed,
  }: {
    readonly path: string;
    readonly names: readonly string[];
    readonly isNew: boolean;
    readonly whyClosed: () => StorageError | null;
  },
): ReadonlyMap<string, Table> {
  try {
    const existing = new Set<string>();
    // The root's keys are the names of tables, which `lmdb` ends with a zero byte.
    for (const key of root.getKeys()) existing.add(new TextDecoder().decode(key).replace("\0", ""));
    // A crash between the creation of the file and that of its tables leaves it empty, and still ours.
    const isEmpty = isNew || existing.size === 0;
    const isComplete = names.every((name) => existing.has(name));
    if (!isEmpty && !isComplete && !names.some((name) => existing.has(name))) throw foreign(path);
    const databases = names.map((name): [string, Table] => {
      const database: Database<Uint8Array, Uint8Array> = root.openDB({ name, ...bytesOnly });
      return [name, new Table(database, { path, name, whyClosed })];
    });
    return new Map(databases);
  } catch (error) {
    throw error instanceof StorageError ? error : openError(path, error);
  }
}

function openError(path: string, cause: unknown): StorageError {
  const message = describeError(cause);
  if (message.includes("MDB_")) return corrupt({ path, database: "file", key: "header" }, message);
  return ioError(path, cause);
}
