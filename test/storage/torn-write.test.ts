/**
 * A power loss in the middle of a commit leaves any mixture of old and new sectors, as long as what was flushed before is
 * whole. LMDB writes new pages, flushes, and then writes one meta page: what it finds is the log as it was before.
 */

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openRaftStore } from "../../src/storage/open-raft-store.ts";
import type { RaftStore } from "../../src/storage/raft-store.ts";
import { Dice } from "../simulation/dice.ts";
import { entry, persisted } from "./raft-store-contract.ts";

const root = mkdtempSync(join(tmpdir(), "torn-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fileName = "raft.mdb";
const pageBytes = 4096;
const metaPages = 2;
/** What a disk writes as a whole, or not at all. */
const sectorBytes = 512;
const commits = 40;
const tearsEach = 4;

function open(directory: string): Promise<RaftStore> {
  return openRaftStore({ directory, allowVolatile: true });
}

interface Seen {
  readonly hardState: RaftStore["hardState"];
  readonly terms: readonly (number | null)[];
  readonly payloads: readonly string[];
}

/** All that a process can read; throws on damage. */
function seenOf({ hardState, log }: RaftStore): Seen {
  const indexes = Array.from({ length: log.lastIndex }, (_, at) => at + 1);
  return {
    hardState,
    terms: indexes.map((index) => log.termAt(index)),
    payloads: indexes.map((index) => {
      const [found] = log.entries(index, index, 1);
      return Buffer.from(found?.data ?? []).toString("latin1");
    }),
  };
}

describe("a commit that a power loss cuts short", () => {
  const dice = new Dice(20_261_122);
  const directory = join(root, "whole");
  /** The file, and what was read from it, after each commit. */
  const moments: { readonly file: Buffer; readonly seen: Seen }[] = [];

  it("is preceded by others, each of which is in the file when it is answered", async () => {
    mkdirSync(directory);
    const store = await open(directory);
    for (let commit = 1; commit <= commits; commit++) {
      await persisted(store, someWrite(store, commit, dice));
      const copy = join(root, "copy");
      copyFileSync(join(directory, fileName), copy);
      moments.push({ file: readFileSync(copy), seen: seenOf(store) });
    }
    await store.close();
    expect(moments.at(-1)?.seen.hardState.currentTerm).toBe(commits);
  });

  it("is a commit that was never begun, whichever sectors it had written", async () => {
    for (const [at, after] of moments.entries()) {
      const before = moments[at - 1];
      if (before === undefined) continue;
      expect(metaPagesChanged(before.file, after.file), "one transaction lies between").toBe(1);
      for (let tear = 0; tear < tearsEach; tear++) {
        const torn = tornFile(before.file, after.file, dice.fork(`tear ${at} ${tear}`));
        expect(await foundIn(torn)).toEqual(before.seen);
      }
    }
  });

  it("counts as a whole once its meta page is written", async () => {
    for (const { file, seen } of moments.slice(0, 10)) expect(await foundIn(file)).toEqual(seen);
  });

  async function foundIn(file: Buffer): Promise<Seen> {
    const torn = join(root, "torn");
    rmSync(torn, { recursive: true, force: true });
    mkdirSync(torn);
    writeFileSync(join(torn, fileName), file);
    const store = await open(torn);
    try {
      return seenOf(store);
    } finally {
      await store.close();
    }
  }
});

/** A term, and now and then a truncation; entries that need pages of their own, or share one. */
function someWrite({ log }: RaftStore, term: number, dice: Dice): Parameters<typeof persisted>[1] {
  const isCut = log.lastIndex > 5 && dice.chance(0.3);
  const from = isCut ? dice.integer(log.lastIndex - 4, log.lastIndex) : log.lastIndex + 1;
  const count = dice.integer(1, 4);
  return {
    hardState: { currentTerm: term, votedFor: `n${dice.integer(1, 3)}` },
    truncateFrom: isCut ? from : null,
    entries: Array.from({ length: count }, (_, at) => {
      const text = String(from + at).padEnd(dice.pick([10, 700, 9_000]), "x");
      return entry(from + at, term, text);
    }),
  };
}

/** Anything may have come of the commit, but not its meta page. */
function tornFile(before: Buffer, after: Buffer, dice: Dice): Buffer {
  const torn = Buffer.alloc(Math.max(before.length, after.length));
  before.copy(torn);
  const share = dice.pick([0.1, 0.5, 0.9, 1]);
  for (let at = metaPages * pageBytes; at < after.length; at += sectorBytes) {
    if (dice.chance(share)) after.copy(torn, at, at, at + sectorBytes);
  }
  // The file may not have grown yet.
  return dice.chance(0.3) ? torn.subarray(0, before.length) : torn;
}

function metaPagesChanged(before: Buffer, after: Buffer): number {
  let changed = 0;
  for (let page = 0; page < metaPages; page++) {
    const [from, to] = [page * pageBytes, (page + 1) * pageBytes];
    if (!before.subarray(from, to).equals(after.subarray(from, to))) changed++;
  }
  return changed;
}
