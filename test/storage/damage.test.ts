/** P12: whatever is wrong with what is on the disk, the answer is a sentence that names it, and never data. */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open as openLmdb } from "lmdb";
import { afterAll, describe, expect, it } from "vitest";
import { StorageError } from "../../src/storage/errors.ts";
import { openBlockStore } from "../../src/storage/open-block-store.ts";
import { openRaftStore, type RaftStoreOptions } from "../../src/storage/open-raft-store.ts";
import type { RaftStore } from "../../src/storage/raft-store.ts";
import { until } from "../e2e/harness/until.ts";
import { genesis } from "./block-fixtures.ts";
import { flipBit } from "./flip-bit.ts";
import {
  compacted,
  entriesOf,
  entry,
  persisted,
  saved,
  snapshotAt,
} from "./raft-store-contract.ts";

const root = mkdtempSync(join(tmpdir(), "damage-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let directories = 0;

function freshDirectory(): string {
  const directory = join(root, String(++directories));
  mkdirSync(directory);
  return directory;
}

function open(directory: string, options: Partial<RaftStoreOptions> = {}): Promise<RaftStore> {
  return openRaftStore({ directory, allowVolatile: true, ...options });
}

async function refusal(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => "opened",
    (reason: unknown) => reason,
  );
  if (error instanceof StorageError) return error;
  throw new Error(`expected a storage error: ${String(error)}`);
}

function thrown(call: () => unknown): StorageError {
  try {
    call();
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
  throw new Error("expected a storage error");
}

describe("a flipped bit", () => {
  it("in an entry is an error that names the entry and the file, when it is read", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    await persisted(store, { entries: [entry(1, 1, "precious words"), ...entriesOf(1, 2, 30)] });
    await store.close();
    const path = join(directory, "raft.mdb");
    flipBit(path, "precious words");
    const next = await open(directory);
    expect(next.log.entries(2, 30, 10_000)).toHaveLength(29);
    const error = thrown(() => next.log.entries(1, 3, 10_000));
    expect(error.detail).toEqual({ code: "STORAGE_CORRUPT", path, database: "log", key: "1" });
    expect(error.message).toContain(`${path} is damaged: log 1 does not match its checksum.`);
    await next.close();
  });

  it("in one of the last entries is found at the start", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    await persisted(store, { entries: [...entriesOf(1, 1, 30), entry(31, 1, "last words")] });
    await store.close();
    flipBit(join(directory, "raft.mdb"), "last words");
    const error = await refusal(open(directory));
    expect(error.detail).toMatchObject({ code: "STORAGE_CORRUPT", database: "log", key: "31" });
  });

  it("in the vote is found at the start", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    await persisted(store, { hardState: { currentTerm: 7, votedFor: "a-certain-node" } });
    await store.close();
    flipBit(join(directory, "raft.mdb"), "a-certain-node");
    const error = await refusal(open(directory));
    expect(error.detail).toMatchObject({ code: "STORAGE_CORRUPT", key: "hardState" });
  });
});

describe("a file that is not ours", () => {
  it.each([
    ["garbage", "STORAGE_FOREIGN_FILE", () => Buffer.alloc(100_000, "garbage ")],
    ["a few bytes", "STORAGE_FOREIGN_FILE", () => Buffer.from("hello")],
    ["zeros", "STORAGE_FOREIGN_FILE", () => Buffer.alloc(8192)],
  ])("of %s is refused before LMDB sees it", async (_name, code, content) => {
    const directory = freshDirectory();
    writeFileSync(join(directory, "raft.mdb"), content());
    const error = await refusal(open(directory));
    expect(error.code).toBe(code);
    expect(error.message).toContain("was not written by this program");
    // And the lock is free again for whoever mends it.
    expect(existsSync(join(directory, ".lock"))).toBe(false);
  });

  it("but an empty one is a new one", async () => {
    const directory = freshDirectory();
    writeFileSync(join(directory, "raft.mdb"), "");
    const store = await open(directory);
    expect(store.isEmpty).toBe(true);
    await store.close();
  });

  it("of another program on LMDB is refused, and stays as it was", async () => {
    const directory = freshDirectory();
    const path = join(directory, "raft.mdb");
    const other = openLmdb({ path, noSubdir: true, overlappingSync: false });
    await other.openDB({ name: "things" }).put("key", "value");
    await other.close();
    const before = readFileSync(path);
    expect((await refusal(open(directory))).code).toBe("STORAGE_FOREIGN_FILE");
    expect(readFileSync(path)).toEqual(before);
  });

  it("of another of our kinds is refused", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    await store.close();
    const bytes = readFileSync(join(directory, "raft.mdb"));
    const elsewhere = freshDirectory();
    writeFileSync(join(elsewhere, "blocks.mdb"), bytes);
    const error = await refusal(openBlockStore({ directory: elsewhere, genesis, txWindow: 10 }));
    expect(error.code).toBe("STORAGE_FOREIGN_FILE");
  });

  it("of another version of LMDB is refused with its number", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    await store.close();
    const path = join(directory, "raft.mdb");
    const bytes = readFileSync(path);
    bytes.writeUInt32LE(1, 28);
    writeFileSync(path, bytes);
    const error = await refusal(open(directory));
    expect(error.detail).toEqual({ code: "STORAGE_VERSION", path, foundVersion: 1 });
  });
});

describe("a torn file", () => {
  it("that lost its second meta page is refused", async () => {
    const directory = freshDirectory();
    await (await open(directory)).close();
    truncateSync(join(directory, "raft.mdb"), 4096);
    expect((await refusal(open(directory))).code).toBe("STORAGE_CORRUPT");
  });

  it("that claims more than its disk could hold is refused, and not made that large", async () => {
    const directory = freshDirectory();
    await (await open(directory)).close();
    const path = join(directory, "raft.mdb");
    const bytes = readFileSync(path);
    for (const page of [0, 1]) bytes.writeBigUInt64LE(2n ** 40n, page * 4096 + 144);
    writeFileSync(path, bytes);
    const error = await refusal(open(directory));
    expect(error.message).toContain("more than its file system has");
    expect(statSync(path).size).toBe(bytes.length);
  });

  it("that lost its end is an error, and no crash", async () => {
    const directory = freshDirectory();
    const store = await open(directory);
    const data = new Uint8Array(20_000).fill(7);
    for (let index = 1; index <= 50; index++) {
      await persisted(store, { entries: [{ ...entry(index, 1), data }] });
    }
    await store.close();
    const path = join(directory, "raft.mdb");
    truncateSync(path, 20 * 4096);
    const error = await refusal(open(directory));
    expect(error.code).toBe("STORAGE_CORRUPT");
    expect(statSync(path).size).toBeGreaterThan(50 * 20_000);
  });
});

describe("snapshots", () => {
  const snapshotNames = (directory: string) =>
    readdirSync(directory)
      .filter((name) => name.includes(".snp"))
      .sort();

  async function storeWithSnapshots(directory: string, snapshotsKept = 3): Promise<RaftStore> {
    const store = await open(directory, { snapshotsKept });
    await persisted(store, { entries: entriesOf(1, 1, 100) });
    for (const index of [10, 20, 30, 40]) await saved(store, snapshotAt(index, 1, `at ${index}`));
    return store;
  }

  it("keep the newest few, under names that say what they hold", async () => {
    const directory = freshDirectory();
    const store = await storeWithSnapshots(directory);
    expect(snapshotNames(directory)).toEqual(["1-20.snp", "1-30.snp", "1-40.snp"]);
    await store.close();
  });

  it("fall back to the one before if the newest is damaged, and say so", async () => {
    const directory = freshDirectory();
    const store = await storeWithSnapshots(directory);
    await compacted(store, 25);
    await store.close();
    flipBit(join(directory, "1-40.snp"), "at 40");
    const damaged: string[] = [];
    const next = await open(directory, {
      onDamagedSnapshot: (_path, { message }) => damaged.push(message),
    });
    expect(next.log.snapshot()?.last).toEqual({ term: 1, index: 30 });
    expect(damaged).toHaveLength(1);
    expect(damaged[0]).toContain("1-40.snp is damaged: snapshot 1-40 does not match its checksum");
    expect(next.log.snapshot()?.last).toEqual({ term: 1, index: 30 });
    await until("the snapshot is read", () => next.log.prepareSnapshot());
    expect(next.log.snapshot()?.last).toEqual({ term: 1, index: 30 });
    expect(damaged).toHaveLength(1);
    // Up to where the log begins the state is still that of the damaged one's index.
    expect(next.log.snapshotLast).toEqual({ term: 1, index: 40 });
    await next.close();
  });

  it("do not fall back across a hole in the log", async () => {
    const directory = freshDirectory();
    const store = await storeWithSnapshots(directory);
    await compacted(store, 35);
    await store.close();
    rmSync(join(directory, "1-40.snp"));
    const error = await refusal(open(directory));
    expect(error.detail).toMatchObject({
      code: "STORAGE_CORRUPT",
      database: "snapshot",
      key: "1-40",
    });
  });

  it("that can be read no more while the node runs are an error that names them", async () => {
    const directory = freshDirectory();
    const store = await storeWithSnapshots(directory);
    await compacted(store, 35);
    flipBit(join(directory, "1-40.snp"), "at 40");
    expect(() => store.log.snapshot()).toThrow(
      `${directory}/1-40.snp is damaged: snapshot 1-40 is missing or unreadable`,
    );
    await store.close();
  });

  it("that a crash left half done are removed", async () => {
    const directory = freshDirectory();
    await (await storeWithSnapshots(directory)).close();
    writeFileSync(join(directory, "1-50.snp.tmp"), "half");
    writeFileSync(join(directory, "1-60.snp"), "complete, but never part of the state");
    const next = await open(directory);
    expect(snapshotNames(directory)).toEqual(["1-20.snp", "1-30.snp", "1-40.snp"]);
    await next.close();
  });
});

describe("a directory that cannot be used", () => {
  it("is refused on a file system in memory", async () => {
    const directory = "/dev/shm";
    if (!existsSync(directory)) return;
    const error = await refusal(openRaftStore({ directory }));
    expect(error.code).toBe("STORAGE_VOLATILE");
    expect(error.message).toContain("/dev/shm is on tmpfs");
  });

  it("is refused if it is a file", async () => {
    const path = join(root, "file");
    writeFileSync(path, "");
    const error = await refusal(open(path));
    expect(error.code).toBe("STORAGE_NO_ACCESS");
    expect(error.message).toContain("is not a directory");
  });

  it("is created for its owner alone", async () => {
    const directory = join(root, "a", "new", "one");
    const store = await open(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, "raft.mdb")).mode & 0o777).toBe(0o600);
    await store.close();
  });
});
