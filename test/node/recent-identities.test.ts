/** What members ask of each other beside Raft: the identities of recent transactions, a page at a time; a read index. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { decodeReadIndex } from "../../src/node/peer-requests.ts";
import { decodePage, fetchTxIds, pageOfTxIds } from "../../src/node/recent-identities.ts";
import type { PeerReply } from "../../src/sequencer/ports.ts";
import type { BlockStore } from "../../src/storage/block-store.ts";
import { openBlockStore } from "../../src/storage/open-block-store.ts";
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
    if (peerId === "away") return { kind: "failed", reason: "timed out", failure: "unanswered" };
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
    return {
      kind: "failed",
      reason: "no answer",
      failure: peerId === "away" ? "notSent" : "foreign",
    };
  };
  expect(await fetchTxIds(3, ask, ["go-1", "go-2"], never)).toBeNull();
  const ended = new AbortController();
  const waiting = fetchTxIds(3, ask, ["go-1", "away"], ended.signal);
  await expect.poll(() => asked.filter((id) => id === "away").length, { timeout: 30_000 }).toBe(2);
  ended.abort();
  expect(await waiting).toEqual([]);
});

it("a question that is none gets no answer", async () => {
  const texts = ["", "{}", '{"from":"a","to":1}', "[1]"];
  // No height is one of these, and none of them is a key of the block store.
  for (const height of ["-1", "0.5", "1e300"]) texts.push(`{"from":0,"to":${height}}`);
  for (const text of texts) {
    expect(await pageOfTxIds(new TextEncoder().encode(text), store), text).toBeNull();
  }
});

it("a page with what is no identity, or no height, is none", () => {
  const page = (height: unknown, ...txIds: string[]) => {
    const text = JSON.stringify({ next: null, blocks: [{ height, txIds }] });
    return decodePage(new TextEncoder().encode(text));
  };
  expect(page(1, "0a")?.blocks).toEqual([{ height: 1, txIds: [Uint8Array.of(10)] }]);
  expect(page(1, "0a", "")).toBeNull();
  expect(page(1, "00".repeat(257))).toBeNull();
  expect(page(1, "xy")).toBeNull();
  expect(page(-1, "0a")).toBeNull();
  expect(page(1.5, "0a")).toBeNull();
});

it("an answer without digits is no index that a read could wait for", () => {
  const indexOf = (text: string) => decodeReadIndex(new TextEncoder().encode(text));
  expect(indexOf("42")).toBe(42);
  for (const text of ["", " ", "-1", "0x2a", "1e3", "4.0", "9007199254740992", "\u0664"]) {
    expect(indexOf(text), text).toBeNull();
  }
});
