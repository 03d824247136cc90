import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InvariantError } from "../../src/base/assert.ts";
import { ExecutionError } from "../../src/execution/errors.ts";
import { KvExecutor } from "../../src/execution/kv.ts";
import { KvStore, resultsKept } from "../../src/execution/kv-store.ts";
import {
  formatKvTransaction,
  keyMaxBytes,
  parseKvTransaction,
  valueMaxBytes,
} from "../../src/execution/kv-transaction.ts";
import { emptyRoot } from "../../src/execution/kv-tree.ts";
import { StorageError } from "../../src/storage/errors.ts";
import { RecordWriter } from "../../src/storage/record.ts";
import { blockAt, genesis, stateAt, txsAt } from "./kv-blocks.ts";
import { slowRoot } from "./slow-root.ts";

let root = "";
let count = 0;
const opened: KvExecutor[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kv-"));
});
afterAll(async () => {
  for (const executor of opened) await executor.close();
  await rm(root, { recursive: true });
});

function freshDirectory(): string {
  count++;
  return join(root, String(count));
}

function open(directory: string): KvExecutor {
  const executor = new KvExecutor({ directory });
  opened.push(executor);
  return executor;
}

async function begin(directory = freshDirectory()): Promise<KvExecutor> {
  const executor = open(directory);
  await executor.initChain(genesis);
  return executor;
}

async function execute(executor: KvExecutor, toHeight: number): Promise<Uint8Array> {
  for (;;) {
    const { height, appHash } = await executor.head();
    if (height === toHeight) return appHash;
    await executor.executeTxs(blockAt(height + 1, appHash));
  }
}

const utf8 = (text: string) => new TextEncoder().encode(text);

describe("blocks", () => {
  it("have the app hash of the slow twin, block after block", async () => {
    const executor = await begin();
    expect(await executor.head()).toEqual({ height: 0, appHash: emptyRoot });
    for (let height = 1; height <= 30; height++) {
      expect(await execute(executor, height)).toEqual(slowRoot(stateAt(height)));
    }
    for (const [key, value] of stateAt(30)) {
      expect(new TextDecoder().decode(executor.get(utf8(key))?.value)).toBe(value);
    }
  });

  it("are read with the height of the state that a value is in, also while one is executed", async () => {
    const executor = await begin();
    const appHash = await execute(executor, 7);
    expect(executor.read(utf8("new-3"))).toMatchObject({ height: 7 });
    expect(executor.read(utf8("nobody wrote this"))).toEqual({ value: null, height: 7 });
    // Block 8 writes `hot`; its writes are there before it is done.
    const executing = executor.executeTxs(blockAt(8, appHash));
    const meanwhile = executor.read(utf8("hot"));
    expect(executor.get(utf8("hot"))?.height).toBe(meanwhile.height);
    await executing;
    expect(executor.read(utf8("hot"))).toEqual({ ...meanwhile, height: 8 });
    expect(meanwhile.height).toBe(8);
  });

  it("give every key its value and the height of its last write", async () => {
    const executor = await begin();
    await execute(executor, 8);
    expect(executor.get(utf8("hot"))).toMatchObject({ height: 8 });
    expect(executor.get(utf8("new-3"))).toMatchObject({ height: 3 });
    expect(executor.get(utf8("empty-1"))?.value).toHaveLength(0);
    expect(executor.get(utf8("malformed"))).toBeNull();
    expect(executor.get(utf8(""))).toBeNull();
  });

  it("without transactions, or with malformed ones alone, leave the app hash as it is", async () => {
    const executor = await begin();
    const appHash = await execute(executor, 1);
    const empty = { height: 2, timestampNs: 2n, txs: [], prevAppHash: appHash };
    expect(await executor.executeTxs(empty)).toEqual({ appHash });
    const malformed = { ...empty, height: 3, txs: [utf8("x"), utf8("=1"), utf8("")] };
    expect(await executor.executeTxs(malformed)).toEqual({ appHash });
    expect(await executor.head()).toEqual({ height: 3, appHash });
  });

  it("begin at the initial height", async () => {
    const executor = open(freshDirectory());
    await executor.initChain({ ...genesis, initialHeight: 100 });
    await expect(executor.executeTxs(blockAt(1, emptyRoot))).rejects.toMatchObject({
      detail: { code: "EXECUTION_GAP", nextHeight: 100 },
    });
    await executor.executeTxs(blockAt(100, emptyRoot));
    expect((await executor.head()).height).toBe(100);
  });
});

describe("a block that comes again", () => {
  it("changes nothing and answers the same, also after a restart", async () => {
    const directory = freshDirectory();
    const executor = await begin(directory);
    const before = await execute(executor, 4);
    const after = await execute(executor, 5);
    await execute(executor, 9);
    expect(await executor.executeTxs(blockAt(5, before))).toEqual({ appHash: after });
    await executor.close();
    const reopened = await begin(directory);
    expect((await reopened.head()).height).toBe(9);
    expect(await reopened.executeTxs(blockAt(5, before))).toEqual({ appHash: after });
    expect((await reopened.head()).height).toBe(9);
    expect(reopened.get(utf8("hot"))?.height).toBe(9);
  });

  it("with other transactions is a divergence, named with both hashes", async () => {
    const executor = await begin();
    const before = await execute(executor, 2);
    await execute(executor, 3);
    const other = { ...blockAt(3, before), txs: txsAt(4) };
    const error = await executor.executeTxs(other).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ExecutionError);
    expect(error).toMatchObject({ detail: { code: "EXECUTION_DIVERGED", field: "transactions" } });
    expect(String(error)).toMatch(
      /^ExecutionError: state divergence at height 3: .*0x\w{64}.*0x\w{64}/,
    );
    expect((await executor.head()).height).toBe(3);
  });

  it.each([
    ["the next one", 4],
    ["an old one", 2],
  ])("on another state is a divergence: %s", async (_name, height) => {
    const executor = await begin();
    await execute(executor, 3);
    await expect(executor.executeTxs(blockAt(height, new Uint8Array(32)))).rejects.toMatchObject({
      detail: { code: "EXECUTION_DIVERGED", field: "state before the block", height },
    });
  });

  it("too early is a gap", async () => {
    const executor = await begin();
    const appHash = await execute(executor, 1);
    await expect(executor.executeTxs(blockAt(3, appHash))).rejects.toMatchObject({
      detail: { code: "EXECUTION_GAP", height: 3, nextHeight: 2 },
    });
  });

  it("after very many others is forgotten, and the last thousand are not", async () => {
    expect(resultsKept).toBeGreaterThanOrEqual(1024);
    const executor = await begin();
    const block = (height: number) => ({
      height,
      timestampNs: 1n,
      txs: [],
      prevAppHash: emptyRoot,
    });
    for (let height = 1; height <= resultsKept + 1; height++)
      await executor.executeTxs(block(height));
    expect(await executor.executeTxs(block(2))).toEqual({ appHash: emptyRoot });
    await expect(executor.executeTxs(block(1))).rejects.toMatchObject({
      detail: { code: "EXECUTION_FORGOTTEN", height: 1, earliest: 2 },
    });
  });

  it("at the same time as another is a bug", async () => {
    const executor = await begin();
    const first = executor.executeTxs(blockAt(1, emptyRoot));
    await expect(executor.executeTxs(blockAt(1, emptyRoot))).rejects.toThrow(InvariantError);
    await first;
  });
});

describe("blocks that are not on disk yet", () => {
  it("are read at once, and are there after a restart once they are flushed", async () => {
    const directory = freshDirectory();
    const hour = 3_600_000;
    const executor = new KvExecutor({ directory, flushDelayMs: hour });
    opened.push(executor);
    await executor.initChain(genesis);
    await execute(executor, 5);
    expect(executor.get(utf8("hot"))?.height).toBe(5);
    await executor.flushed();
    const onDisk = await readFile(join(directory, "kv.mdb"));
    await execute(executor, 9);
    expect(executor.get(utf8("hot"))?.height).toBe(9);

    // What a power cut now would leave.
    const copied = freshDirectory();
    await mkdir(copied);
    await writeFile(join(copied, "kv.mdb"), onDisk);
    const restarted = await begin(copied);
    expect((await restarted.head()).height).toBe(5);
    expect(restarted.get(utf8("hot"))?.height).toBe(5);
    expect(await execute(restarted, 9)).toEqual((await executor.head()).appHash);

    await executor.close();
    expect((await (await begin(directory)).head()).height).toBe(9);
  });

  it("are refused after closing", async () => {
    const executor = await begin();
    await executor.close();
    await executor.close();
    await expect(executor.executeTxs(blockAt(1, emptyRoot))).rejects.toMatchObject({
      detail: { code: "STORAGE_CLOSED" },
    });
  });
});

describe("the chain", () => {
  it("is the one that the state began with", async () => {
    const directory = freshDirectory();
    const executor = await begin(directory);
    expect(await executor.initChain(genesis)).toEqual({ appHash: emptyRoot });
    await execute(executor, 2);
    expect(await executor.initChain(genesis)).toEqual({ appHash: emptyRoot });
    for (const change of [{ chainId: "x" }, { initialHeight: 2 }, { genesisTimeNs: 2n }]) {
      await expect(executor.initChain({ ...genesis, ...change })).rejects.toMatchObject({
        detail: { code: "EXECUTION_FOREIGN" },
      });
    }
  });

  it("comes before the first block", async () => {
    await expect(open(freshDirectory()).executeTxs(blockAt(1, emptyRoot))).rejects.toThrow(
      InvariantError,
    );
  });
});

describe("transactions", () => {
  it.each([
    ["a=1", "a", "1"],
    ["a=", "a", ""],
    ["a=b=c", "a", "b=c"],
    ["key with spaces=\u00e4\u0000", "key with spaces", "\u00e4\u0000"],
  ])("%j puts", (text, key, value) => {
    const tx = utf8(text);
    expect(parseKvTransaction(tx)).toEqual({ kind: "put", key: utf8(key), value: utf8(value) });
    expect(formatKvTransaction(utf8(key), utf8(value))).toEqual(tx);
  });

  it.each([
    ["nothing", utf8(""), "no ="],
    ["no =", utf8("abc"), "no ="],
    ["no key", utf8("=1"), "empty"],
    ["a long key", utf8(`${"k".repeat(keyMaxBytes + 1)}=1`), "1025 bytes"],
    ["a long value", utf8(`k=${"v".repeat(valueMaxBytes + 1)}`), "1048577 bytes"],
  ])("%s is malformed, and its sender hears why", async (_name, tx, words) => {
    const executor = await begin();
    expect(executor.checkTx(tx)).toContain(words);
    expect(executor.checkTx(utf8("a=1"))).toBeNull();
  });

  it("a key with = in it cannot be written", () => {
    expect(formatKvTransaction(utf8("a=b"), utf8("1"))).toBeNull();
  });

  it("the longest key and value are stored", async () => {
    const executor = await begin();
    const key = utf8("k".repeat(keyMaxBytes));
    const value = utf8("v".repeat(valueMaxBytes));
    const tx = formatKvTransaction(key, value) ?? utf8("");
    await executor.executeTxs({ height: 1, timestampNs: 1n, txs: [tx], prevAppHash: emptyRoot });
    expect(Buffer.compare(executor.get(key)?.value ?? utf8(""), value)).toBe(0);
  });
});

it.each([
  ["no bytes", 0],
  ["one byte more than a key may have", keyMaxBytes + 1],
  ["more bytes than LMDB takes for a key", 5_000],
  ["many", 1_000_000],
])("a key of %s was never written, and says nothing of the file", async (_name, sizeBytes) => {
  const executor = await begin();
  const key = new Uint8Array(sizeBytes).fill(0x6b);
  expect(executor.get(key)).toBeNull();
  expect(executor.read(key)).toEqual({ value: null, height: 0 });
});

describe("the file", () => {
  it("of another program is refused", async () => {
    const directory = freshDirectory();
    await begin(directory).then((executor) => executor.close());
    await writeFile(join(directory, "kv.mdb"), "no database ".repeat(1000));
    expect(() => open(directory)).toThrow(StorageError);
  });

  it("of a newer release is refused", async () => {
    const directory = freshDirectory();
    await begin(directory).then((executor) => executor.close());
    await patch(join(directory, "kv.mdb"), formatRecord(1), formatRecord(2));
    expect(() => open(directory)).toThrow(
      expect.objectContaining({ detail: expect.objectContaining({ code: "EXECUTION_NEWER" }) }),
    );
  });

  it("with a flipped bit in a value is an error that names the key, and never data", async () => {
    const directory = freshDirectory();
    const executor = await begin(directory);
    const txs = [utf8("victim=precious")];
    await executor.executeTxs({ height: 1, timestampNs: 1n, txs, prevAppHash: emptyRoot });
    await executor.close();
    await patch(join(directory, "kv.mdb"), utf8("precious"), utf8("qrecious"));
    const reopened = open(directory);
    const name = Buffer.from("victim").toString("hex");
    expect(() => reopened.get(utf8("victim"))).toThrow(
      expect.objectContaining({
        detail: expect.objectContaining({ code: "STORAGE_CORRUPT", database: "state", key: name }),
      }),
    );
  });

  it("names a node that is missing", () => {
    const store = new KvStore({ directory: freshDirectory() });
    expect(() => store.treeNode(Uint8Array.of(0))).toThrow(/tree 00 is missing/);
    return store.close();
  });
});

describe("kill -9 (P1)", () => {
  it("leaves the state of a block, whole, and no earlier one than was on disk", async () => {
    const directory = freshDirectory();
    let height = 0;
    for (let round = 0; round < 3; round++) {
      const durable = await runAndKill(directory, height + 25);
      const executor = await begin(directory);
      const head = await executor.head();
      expect(head.height).toBeGreaterThanOrEqual(durable);
      expect(head.appHash).toEqual(slowRoot(stateAt(head.height)));
      for (const [key, value] of stateAt(head.height)) {
        expect(new TextDecoder().decode(executor.get(utf8(key))?.value)).toBe(value);
      }
      height = head.height;
      await executor.close();
    }
  });
});

/** Lets a child execute up to a height, kills it, and returns the last height it knew to be on disk. */
async function runAndKill(directory: string, toHeight: number): Promise<number> {
  const script = join(import.meta.dirname, "kv-child.ts");
  const child = spawn(process.execPath, [script, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  let height = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    height = Number(line);
    if (height >= toHeight) child.kill("SIGKILL");
  }
  await exited;
  expect(height).toBeGreaterThanOrEqual(toHeight);
  return height;
}

/** Replaces every occurrence of `from` in a file. */
async function patch(path: string, from: Uint8Array, to: Uint8Array): Promise<void> {
  const bytes = await readFile(path);
  let found = 0;
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) {
    bytes.set(to, at);
    found++;
  }
  expect(found).toBeGreaterThan(0);
  await writeFile(path, bytes);
}

/** With its key before it, since four bytes and a checksum may well occur elsewhere. */
function formatRecord(version: number): Uint8Array {
  return Buffer.concat([utf8("format"), new RecordWriter().u32(version).finish()]);
}
