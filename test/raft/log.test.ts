/** RaftLog against a twin that is slow and obvious: one array, and nothing on disk. */

import { describe, expect, it } from "vitest";
import { logCacheMaxBytes } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { payloadBytes, RaftLog } from "../../src/raft/log.ts";
import type { Persist } from "../../src/raft/ready.ts";
import type { Entry, LogIndex, Snapshot, Term } from "../../src/raft/types.ts";
import { entryAt } from "./lab/bench.ts";
import { MemoryLog } from "./lab/memory-log.ts";

/** What a log means, without any thought of memory. */
class Twin {
  entries: Entry[] = [];
  snapshotLast = { term: 0, index: 0 };

  get lastIndex(): LogIndex {
    return this.entries.at(-1)?.index ?? this.snapshotLast.index;
  }

  get firstIndex(): LogIndex {
    return this.entries[0]?.index ?? this.snapshotLast.index + 1;
  }

  termAt(index: LogIndex): Term | null {
    if (index === 0) return 0;
    if (index === this.snapshotLast.index) return this.snapshotLast.term;
    return this.entries.find((entry) => entry.index === index)?.term ?? null;
  }
}

/** A RaftLog with its disk, whose writes become durable one by one, and the twin. */
class Pair {
  readonly disk = new MemoryLog();
  readonly log = new RaftLog(this.disk);
  readonly twin = new Twin();
  readonly writing: Persist[] = [];
  sequence = 0;
  term = 1;
  commitIndex = 0;
  /** How much of the log a crash would leave. */
  durableIndex = 0;

  append(count: number): void {
    const from = this.log.lastIndex + 1;
    const entries = Array.from({ length: count }, (_, at) => entryAt(this.term, from + at));
    this.#write({ entries });
    this.log.append(entries, this.sequence);
    this.twin.entries.push(...entries);
  }

  truncateFrom(index: LogIndex): void {
    this.#write({ truncateFrom: index });
    this.log.truncateFrom(index);
    this.twin.entries = this.twin.entries.filter((entry) => entry.index < index);
    this.durableIndex = Math.min(this.durableIndex, index - 1);
  }

  install(index: LogIndex): void {
    const snapshot = snapshotAt(this.term, index);
    this.#write({ snapshot });
    this.log.install(snapshot, this.sequence);
    this.twin.entries = [];
    this.twin.snapshotLast = snapshot.last;
    this.commitIndex = index;
    this.durableIndex = 0;
  }

  persistOne(): void {
    const persist = this.writing.shift();
    if (persist === undefined) return;
    this.disk.write(persist);
    this.log.persisted(persist.sequence);
    const hasInstalled = !this.writing.some((later) => later.snapshot !== null);
    // What later writes take out again was never durable for good.
    const cutAt = Math.min(...this.writing.map((later) => later.truncateFrom ?? Infinity));
    if (hasInstalled) this.durableIndex = Math.min(this.disk.lastIndex, cutAt - 1);
  }

  /** Takes a snapshot of what is committed and durable, and drops all before it but a few. */
  compact(trailing: number): void {
    const index = Math.min(this.commitIndex, this.disk.lastIndex);
    const term = this.twin.termAt(index);
    if (this.writing.length > 0 || index <= this.disk.snapshotLast.index || term === null) return;
    this.disk.keepSnapshot(snapshotAt(term, index));
    this.disk.compactThrough(index - trailing);
    this.twin.snapshotLast = { term, index };
    this.twin.entries = this.twin.entries.filter((entry) => entry.index > index - trailing);
    // The next write is when the tail in memory follows.
    this.append(1);
    this.persistOne();
  }

  #write(part: Partial<Persist>): void {
    this.sequence++;
    const nothing = { hardState: null, snapshot: null, truncateFrom: null, entries: [] };
    this.writing.push({ sequence: this.sequence, ...nothing, ...part });
  }
}

function snapshotAt(term: Term, index: LogIndex): Snapshot {
  const configuration = { servers: [] };
  return { last: { term, index }, configuration, configurationIndex: 0, data: new Uint8Array(0) };
}

function act(pair: Pair, random: Random): void {
  const below = (n: number) => Math.floor(random() * n);
  const choice = random();
  if (choice < 0.35) pair.append(1 + below(4));
  else if (choice < 0.65) pair.persistOne();
  else if (choice < 0.75) pair.term++;
  else if (choice < 0.85) {
    const uncommitted = pair.log.lastIndex - pair.commitIndex;
    if (uncommitted > 0) pair.truncateFrom(pair.commitIndex + 1 + below(uncommitted));
  } else if (choice < 0.92) {
    pair.commitIndex += below(pair.log.lastIndex - pair.commitIndex + 1);
  } else if (choice < 0.97) pair.compact(below(4));
  else pair.install(pair.log.lastIndex + below(5) + 1);
}

function compare({ log, twin, durableIndex }: Pair): void {
  expect(log.lastIndex).toBe(twin.lastIndex);
  expect(log.firstIndex).toBe(twin.firstIndex);
  expect(log.snapshotLast).toEqual(twin.snapshotLast);
  expect(log.durableIndex).toBe(durableIndex);
  const indexes = Array.from({ length: twin.lastIndex + 3 }, (_, index) => index);
  expect(indexes.map((index) => log.termAt(index))).toEqual(indexes.map((i) => twin.termAt(i)));
  const found: Entry[] = [];
  for (let from = twin.firstIndex; from <= twin.lastIndex; ) {
    const part = log.entries(from, twin.lastIndex, 200, 5);
    expect(part.length).toBeGreaterThan(0);
    expect(part.length).toBeLessThanOrEqual(5);
    found.push(...part);
    from += part.length;
  }
  expect(found).toEqual(twin.entries);
}

describe("RaftLog", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "means the same as an array, whatever happens: seed %i",
    (seed) => {
      const random = seededRandom(seed);
      const pair = new Pair();
      for (let step = 0; step < 200; step++) {
        act(pair, random);
        compare(pair);
      }
    },
  );

  it("holds in memory what is not durable, and of the rest what the cache allows", () => {
    const disk = new MemoryLog();
    const log = new RaftLog(disk);
    const data = new Uint8Array(1024 * 1024);
    const entries = Array.from({ length: 40 }, (_, at) => ({ ...entryAt(1, at + 1), data }));
    log.append(entries, 1);
    expect(log.entries(1, 40, Infinity)).toHaveLength(40);
    disk.write({ sequence: 1, hardState: null, snapshot: null, truncateFrom: null, entries });
    log.persisted(1);
    expect(log.durableIndex).toBe(40);
    // The oldest now come from disk, up to where memory goes on.
    const fromDisk = log.entries(1, 40, Infinity);
    const fromMemory = log.entries(fromDisk.length + 1, 40, Infinity);
    const bytes = fromMemory.reduce((sum, entry) => sum + payloadBytes(entry), 0);
    expect(fromDisk.length + fromMemory.length).toBe(40);
    expect(bytes).toBeLessThanOrEqual(logCacheMaxBytes / 2);
  });

  it("begins with what the disk holds", () => {
    const disk = new MemoryLog({ currentTerm: 3, votedFor: null }, [entryAt(1, 1), entryAt(3, 2)]);
    const log = new RaftLog(disk);
    expect(log.last).toEqual({ term: 3, index: 2 });
    expect(log).toMatchObject({ firstIndex: 1, lastIndex: 2, durableIndex: 2 });
  });

  it("finds where the run of a term begins, but looks no further back than the floor", () => {
    const terms = [1, 2, 2, 2, 3];
    const entries = terms.map((term, at) => entryAt(term, at + 1));
    const log = new RaftLog(new MemoryLog({ currentTerm: 3, votedFor: null }, entries));
    expect(log.firstIndexOfTerm(4, 0)).toBe(2);
    expect(log.firstIndexOfTerm(4, 2)).toBe(3);
    expect(log.firstIndexOfTerm(5, 0)).toBe(5);
  });
});
