/** Members give each other the identities of recent transactions, a page at a time. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fetchTxIds, pageOfTxIds } from "../../src/node/recent-identities.ts";
import type { PeerReply } from "../../src/sequencer/ports.ts";
import { type BlockStore, openBlockStore } from "../../src/storage/block-store.ts";
import { blockAfter, genesis } from "../storage/block-fixtures.ts";

let directory: string;
let store: BlockStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "identities-"));
  store = await openBlockStore({ directory, genesis, txWindow: 1000 });
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const never = new AbortController().signal;
const idsPerBlock = 900;

it("all of them come, in pages, from a member that has the block", async () => {
  for (let count = 0; count < 12; count++) {
    const ids = Array.from({ length: idsPerBlock }, (_, at) => `id ${count} ${at}`);
    await store.append(blockAfter(store.head, ids));
  }
  let pages = 0;
  const ask = async (peerId: string, body: Uint8Array): Promise<PeerReply> => {
    if (peerId === "away") return { kind: "failed", reason: "timed out", isForeign: false };
    pages++;
    const page = await pageOfTxIds(body, store);
    if (page === null) return { kind: "answered", status: 409, body: new Uint8Array(0) };
    const answer = new TextEncoder().encode(JSON.stringify(page));
    return { kind: "answered", status: 200, body: answer };
  };
  const found = await fetchTxIds(11, ask, ["away", "there"], never);
  expect(found?.map(({ height }) => height)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  for (const { height, txIds } of found ?? []) {
    expect(txIds).toEqual(store.blockAt(height)?.txIds);
  }
  expect(pages).toBeGreaterThan(2);

  const ended = AbortSignal.timeout(50);
  expect(await fetchTxIds(13, ask, ["there"], ended), "nobody has block 13").toEqual([]);
});

it("nobody has them where all others are other programs; one that may come back is waited for", async () => {
  const asked: string[] = [];
  const ask = async (peerId: string): Promise<PeerReply> => {
    asked.push(peerId);
    return { kind: "failed", reason: "no answer", isForeign: peerId !== "away" };
  };
  expect(await fetchTxIds(3, ask, ["go-1", "go-2"], never)).toBeNull();
  const ended = new AbortController();
  const waiting = fetchTxIds(3, ask, ["go-1", "away"], ended.signal);
  await expect.poll(() => asked.filter((id) => id === "away").length, { timeout: 30_000 }).toBe(2);
  ended.abort();
  expect(await waiting).toEqual([]);
});

it("a question that is none gets no answer", async () => {
  for (const text of ["", "{}", '{"from":"a","to":1}', "[1]"]) {
    expect(await pageOfTxIds(new TextEncoder().encode(text), store)).toBeNull();
  }
});
