/**
 * A look at an LMDB file before LMDB maps it. LMDB trusts what it maps: given a foreign or torn file it
 * may crash the process, where an operator needs a sentence.
 *
 *   page 0 and page 1: a header of 24 bytes, then the meta data; the one with the higher txnid counts
 *     24 magic   28 version   48 page size   144 last page   152 txnid    (little-endian)
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, statfsSync } from "node:fs";
import { corrupt, errnoOf, ioError, StorageError } from "./errors.ts";

const magic = 0xbeefc0de;
const dataVersion = 2;
const metaBytes = 160;
const pageSizeMinBytes = 512;
const pageSizeMaxBytes = 65_536;

interface Meta {
  readonly pageSize: number;
  readonly lastPage: bigint;
  readonly txnId: bigint;
}

/**
 * Whether `path` is absent or empty, and so becomes a new database. Throws STORAGE_FOREIGN_FILE,
 * STORAGE_VERSION or STORAGE_CORRUPT for a file that LMDB must not see.
 */
export function checkMdbFile(path: string): { readonly isNew: boolean } {
  const file = openExisting(path);
  if (file === null) return { isNew: true };
  try {
    const fileBytes = fstatSync(file).size;
    if (fileBytes === 0) return { isNew: true };
    const first = readMeta(file, path, 0);
    const second = readMeta(file, path, first.pageSize);
    const newest = second.txnId > first.txnId ? second : first;
    coverLastPage(file, path, fileBytes, newest);
    return { isNew: false };
  } finally {
    closeSync(file);
  }
}

/**
 * A file that ends before its last page is either torn, or its last pages are free and were never
 * written. LMDB takes both alike, and reading past the end of a mapped file kills the process. Zeros
 * there are as good for free pages, and turn a torn one into an error.
 */
function coverLastPage(file: number, path: string, fileBytes: number, newest: Meta): void {
  const neededBytes = (newest.lastPage + 1n) * BigInt(newest.pageSize);
  if (BigInt(fileBytes) >= neededBytes) return;
  const { blocks, bsize } = statfsSync(path, { bigint: true });
  if (neededBytes > blocks * bsize) {
    const problem = `claims ${neededBytes} bytes, more than its file system has`;
    throw corrupt({ path, database: "meta", key: "page" }, problem);
  }
  try {
    ftruncateSync(file, Number(neededBytes));
  } catch (error) {
    throw ioError(path, error);
  }
}

function openExisting(path: string): number | null {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(path, error);
  }
}

function readMeta(file: number, path: string, offset: number): Meta {
  const bytes = new Uint8Array(metaBytes);
  const view = new DataView(bytes.buffer);
  const readBytes = readSync(file, bytes, 0, metaBytes, offset);
  if (readBytes < metaBytes || view.getUint32(24, true) !== magic) {
    if (offset === 0) throw foreign(path);
    throw corrupt({ path, database: "meta", key: "page 1" }, "is cut short or overwritten");
  }
  const version = view.getUint32(28, true) & 0xffff;
  if (version !== dataVersion) throw wrongVersion(path, version);
  const pageSize = view.getUint32(48, true);
  const isPowerOfTwo = (pageSize & (pageSize - 1)) === 0;
  if (!isPowerOfTwo || pageSize < pageSizeMinBytes || pageSize > pageSizeMaxBytes) {
    throw corrupt({ path, database: "meta", key: "page size" }, `is ${pageSize}`);
  }
  const lastPage = view.getBigUint64(144, true);
  return { pageSize, lastPage, txnId: view.getBigUint64(152, true) };
}

export function foreign(path: string): StorageError {
  return new StorageError(
    { code: "STORAGE_FOREIGN_FILE", path },
    `${path} was not written by this program. Move it away, or name another directory.`,
  );
}

export function wrongVersion(path: string, foundVersion: number): StorageError {
  return new StorageError(
    { code: "STORAGE_VERSION", path, foundVersion },
    `${path} has format version ${foundVersion}, which this program does not read. ` +
      "Run the version of the program that wrote it. Never wipe more than one member to go back.",
  );
}
