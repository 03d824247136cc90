/** What members ask of each other beside Raft: the identities of recent transactions, a page at a time; a read index. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { decodeReadIndex } from "../../src/node/peer-requests.ts";
import {
  decodePage,
  pageOfTxIds,
  TxIdFetch,
  type TxIdFetchDependencies,
} from "../../src/node/recent-identities.ts";
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

const foreign: PeerReply = { kind: "failed", reason: "hung up", failure: "foreign" };
const away: PeerReply = { kind: "failed", reason: "no answer", failure: "notSent" };

/** What a member with this store answers, while it asks for identities itself up to a height, or for none. */
async function answer(from: BlockStore, body: Uint8Array, awaits: number | null = null) {
  const found = await pageOfTxIds(body, from, awaits);
  const reply = { kind: "answered", status: found?.status ?? 409 } as const;
  return { ...reply, body: new TextEncoder().encode(JSON.stringify(found?.page ?? null)) };
}

function fetching(peerIds: readonly string[], ask: TxIdFetchDependencies["ask"]) {
  const waits: { readonly height: number; readonly absent: readonly string[] }[] = [];
  const waitingFor = (height: number, absent: readonly string[]) => waits.push({ height, absent });
  return { waits, fetch: new TxIdFetch({ ask, peerIds, waitingFor }) };
}

it("all of them come, in pages, from a member that has the block", async () => {
  for (let count = 0; count < 12; count++) {
    const ids = Array.from({ length: idsPerBlock }, (_, at) => `id ${count} ${at}`);
    await store.append(blockAfter(store.head, ids));
  }
  let pages = 0;
  const { fetch, waits } = fetching(["away", "there"], async (peerId, body) => {
    if (peerId === "away") return away;
    pages++;
    return await answer(store, body);
  });
  const { identities, areSomeLost } = await fetch.run(11, never);
  expect(identities.map(({ height }) => height)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  for (const { height, txIds } of identities) expect(txIds).toEqual(store.blockAt(height)?.txIds);
  expect([areSomeLost, pages > 2, waits.length]).toEqual([false, true, 0]);

  const beyond = fetching(["there"], async (_peerId, body) => await answer(store, body));
  const found = await beyond.fetch.run(13, AbortSignal.timeout(50));
  expect(found.identities, "nobody has block 13").toEqual([]);
  expect(beyond.waits).toEqual([{ height: 13, absent: ["there"] }]);
});

it("nobody has them where all others are other programs; one that may come back is waited for", async () => {
  const all = fetching(["go-1", "go-2"], async () => foreign);
  expect(await all.fetch.run(3, never)).toMatchObject({ identities: [], areSomeLost: true });
  const asked: string[] = [];
  const one = fetching(["go-1", "away"], async (peerId) => {
    asked.push(peerId);
    return peerId === "away" ? away : foreign;
  });
  const stop = new AbortController();
  const waiting = one.fetch.run(3, stop.signal);
  await expect.poll(() => asked.filter((id) => id === "away").length, { timeout: 30_000 }).toBe(2);
  stop.abort();
  expect(await waiting).toMatchObject({ identities: [], areSomeLost: false });
  expect(one.waits, "told once in ten seconds").toEqual([{ height: 3, absent: ["away"] }]);
});

it("two that lack the same blocks do not wait for each other: each goes on with what the other has", async () => {
  const other = await openBlockStore({ directory: join(directory, "b"), genesis, txWindow: 1000 });
  for (const id of ["1", "2", "3"]) {
    const block = blockAfter(store.head, [id]);
    if (store.head.height < 2) await store.append(block);
    await other.append(block);
  }
  const a = fetching(["go", "b"], async (peerId, body) =>
    peerId === "go" ? foreign : await answer(other, body, b.fetch.awaitedHeight),
  );
  const b = fetching(["go", "a"], async (peerId, body) =>
    peerId === "go" ? foreign : await answer(store, body, a.fetch.awaitedHeight),
  );
  const foundByA = a.fetch.run(9, never);
  // That one has yet to catch up, and may learn of the blocks by its log: it is waited for, whatever it lacks.
  await expect.poll(() => a.waits).toEqual([{ height: 9, absent: ["b"] }]);
  const foundByB = await b.fetch.run(9, never);
  expect(foundByB.identities.map(({ height }) => height)).toEqual([1, 2]);
  expect([foundByB.areSomeLost, b.fetch.awaitedHeight, b.waits]).toEqual([true, null, []]);
  // It fetches the others without them, and then it has all that there are.
  while (other.head.height < 9) await other.append({ ...blockAfter(other.head, ["4"]), txIds: [] });
  const { identities, areSomeLost } = await foundByA;
  const all = [1, 2, 3].map((height) => ({ height, txIds: other.blockAt(height)?.txIds }));
  expect(identities).toEqual(all);
  expect(areSomeLost).toBe(false);
  await other.close();
});

it("of two that lack blocks the one goes first that lacks fewer: the other has yet to learn more", async () => {
  await store.append(blockAfter(store.head, ["1"]));
  const question = new TextEncoder().encode('{"from":0,"to":9}');
  expect(await pageOfTxIds(question, store, 8)).toBeNull();
  expect((await pageOfTxIds(question, store, 9))?.status).toBe(206);
  expect((await pageOfTxIds(question, store, 12))?.page.blocks).toHaveLength(1);
});

it("what several know in part is put together, and who does not answer is not left out", async () => {
  const page = (...heights: number[]): PeerReply => {
    const blocks = heights.map((height) => ({ height, txIds: [`0${height}`] }));
    const body = new TextEncoder().encode(JSON.stringify({ next: null, blocks }));
    return { kind: "answered", status: 206, body };
  };
  let isAway = true;
  const wholeWindows: string[] = [];
  const { fetch, waits } = fetching(["b", "c", "d"], async (peerId, question) => {
    if (!new TextDecoder().decode(question).includes('"from":9')) wholeWindows.push(peerId);
    if (peerId === "b") return page(1, 2);
    if (peerId === "c") return page(2, 3);
    return isAway ? away : page();
  });
  const running = fetch.run(9, never);
  await expect.poll(() => waits).toEqual([{ height: 9, absent: ["d"] }]);
  expect(wholeWindows, "while another is waited for they would be thrown away").toEqual([]);
  isAway = false;
  const { identities, areSomeLost } = await running;
  expect(identities.map(({ height }) => height)).toEqual([1, 2, 3]);
  expect(areSomeLost).toBe(true);
});

it("a question that is none gets no answer", async () => {
  const texts = ["", "{}", '{"from":"a","to":1}', "[1]"];
  // No height is one of these, and none of them is a key of the block store.
  for (const height of ["-1", "0.5", "1e300"]) texts.push(`{"from":0,"to":${height}}`);
  for (const text of texts) {
    expect(await pageOfTxIds(new TextEncoder().encode(text), store, 5), text).toBeNull();
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
