/** When a disk is found too slow to lead with, and when it is well again (P5). */

import { describe, expect, it } from "vitest";
import { DiskWatch, wellAfterMs } from "../../src/storage/disk-watch.ts";

const heartbeatTimeoutMs = 600;
const options = { heartbeatTimeoutMs, electionTimeoutMs: 1_000 };
/** Of a follower; a leader may take half as much again. */
const limitMs = heartbeatTimeoutMs / 6;
const blockTimeMs = 1_000;

/** A disk on a clock of its own, looked at when its watch asks for that, and whenever a write ends. */
class Disk {
  readonly #watch = new DiskWatch(options);
  nowMs = 0;
  isLeading = false;
  /** All that was found, in order. */
  readonly found: ("slow" | "well")[] = [];

  get isSlow(): boolean {
    return this.found.at(-1) === "slow";
  }

  /** Each as long as it says, a block time apart. */
  write(...takeMs: readonly number[]): this {
    for (const tookMs of takeMs) {
      const beganMs = this.nowMs;
      this.begin();
      this.wait(tookMs);
      this.end();
      this.wait(Math.max(0, blockTimeMs - (this.nowMs - beganMs)));
    }
    return this;
  }

  begin(): this {
    this.#watch.began(this.nowMs);
    return this;
  }

  end(): this {
    this.#watch.ended(this.nowMs);
    this.#look();
    return this;
  }

  wait(ms: number): this {
    const untilMs = this.nowMs + ms;
    while (this.#watch.lookAgainMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.#watch.lookAgainMs);
      this.#look();
    }
    this.nowMs = untilMs;
    return this;
  }

  /** Nobody looks meanwhile. */
  pause(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  lead(): this {
    this.isLeading = true;
    return this;
  }

  #look(): void {
    const word = this.#watch.look(this.nowMs, this.isLeading) === null ? "well" : "slow";
    if (word !== (this.found.at(-1) ?? "well")) this.found.push(word);
  }
}

const fast = (count: number) => new Array<number>(count).fill(2);
const slow = (count: number) => new Array<number>(count).fill(500);

describe("a disk", () => {
  it.each<{ what: string; disk: Disk }>([
    { what: "nothing was written to", disk: new Disk().wait(60_000) },
    { what: "takes two milliseconds", disk: new Disk().write(...fast(100)) },
    {
      what: "takes a little less than the limit",
      disk: new Disk().write(...new Array(50).fill(99)),
    },
    { what: "takes long for one write", disk: new Disk().write(...fast(5), 290, ...fast(5)) },
    {
      what: "takes long now and then",
      disk: new Disk().write(...new Array(5).fill([...fast(8), 280]).flat()),
    },
    {
      what: "takes long for what shares one fsync",
      disk: shared(new Disk().write(...fast(5)), 50, 290),
    },
    {
      what: "was not seen while this process stood still",
      disk: new Disk()
        .begin()
        .wait(5)
        .pause(10_000)
        .end()
        .write(...fast(3)),
    },
    {
      what: "was at work while this process stood still",
      disk: new Disk()
        .begin()
        .wait(5)
        .pause(10_000)
        .wait(100)
        .end()
        .write(...fast(3)),
    },
  ])("that $what is well", ({ disk }) => {
    expect(disk.found).toEqual([]);
  });

  it.each<{ what: string; disk: Disk }>([
    {
      what: "takes more than the limit all the time",
      disk: new Disk().write(...new Array(20).fill(120)),
    },
    { what: "takes half a second a few times", disk: new Disk().write(...fast(20), ...slow(2)) },
    {
      what: "has stalled, and is not back",
      disk: new Disk()
        .write(...fast(20))
        .begin()
        .wait(450),
    },
    {
      what: "has stalled with much under way",
      disk: new Disk()
        .write(...fast(5))
        .begin()
        .wait(10)
        .begin()
        .wait(10)
        .begin()
        .wait(450),
    },
    {
      what: "has stalled since this process stood still",
      disk: new Disk().begin().wait(5).pause(10_000).wait(500),
    },
  ])("that $what is slow", ({ disk }) => {
    expect(disk.found).toEqual(["slow"]);
  });

  it("is found slow while it stalls, and as slow as it is by then", () => {
    const watch = new DiskWatch(options);
    watch.began(0);
    const seen: (number | null)[] = [];
    while (watch.lookAgainMs <= 1_000) {
      seen.push(watch.look(watch.lookAgainMs, false)?.takesMs ?? null);
    }
    expect(seen[0]).toBeNull();
    expect(seen.at(-1)).toBe(1_000);
    expect(watch.look(1_000, false)?.limitMs).toBe(limitMs);
  });

  it("may be slower in a leader than in whom it would hand over to", () => {
    const stall = (disk: Disk) =>
      disk
        .write(...fast(5))
        .begin()
        .wait(400);
    expect(stall(new Disk().lead()).isSlow).toBe(false);
    expect(stall(new Disk()).isSlow).toBe(true);
    expect(stall(new Disk().lead()).wait(150).isSlow).toBe(true);
  });
});

describe("a slow disk", () => {
  const wellMs = wellAfterMs(options);

  it("is well again once it is fast, for a while", () => {
    const disk = new Disk().write(...slow(3), ...fast(5));
    expect(disk.isSlow).toBe(true);
    disk.write(...fast(20));
    expect(disk.found).toEqual(["slow", "well"]);
  });

  it("is well again if nothing is written, and what it took then counts no more", () => {
    const disk = new Disk().write(...slow(3)).wait(wellMs);
    expect(disk.found).toEqual(["slow", "well"]);
    expect(disk.write(10).isSlow).toBe(false);
  });

  it("is slow as long as it stalls", () => {
    expect(new Disk().begin().wait(20 * wellMs).found).toEqual(["slow"]);
  });

  it.each([
    ["a little better", 60],
    ["better, and worse in between", [30, 30, 30, 400]],
  ])("stays slow where it is %s: leadership does not go to and fro", (_what, takeMs) => {
    const disk = new Disk().write(...slow(3));
    disk.write(...new Array(20).fill(takeMs).flat());
    expect(disk.found).toEqual(["slow"]);
  });
});

/** `count` writes given while one is under way, which end with the next fsync. */
function shared(disk: Disk, count: number, fsyncMs: number): Disk {
  for (let given = 0; given < count; given++) disk.begin();
  disk.wait(fsyncMs);
  for (let given = 0; given < count; given++) disk.end();
  return disk.write(...fast(3));
}
