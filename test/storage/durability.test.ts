/** P7, P12: what was acknowledged is on the disk, whatever becomes of the process. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { ioError } from "../../src/storage/errors.ts";
import { openRaftStore } from "../../src/storage/open-raft-store.ts";
import { childScript, startChild } from "./child-process.ts";
import { entriesOf, persisted, saved, snapshotAt } from "./raft-store-contract.ts";

const root = mkdtempSync(join(tmpdir(), "durability-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const writer = childScript("write-entries.ts");
const hasStrace = spawnSync("strace", ["-V"]).status === 0;

describe("an acknowledged write", () => {
  it("is there after kill -9", async () => {
    for (let round = 1; round <= 3; round++) {
      const directory = join(root, `killed-${round}`);
      const child = startChild(process.execPath, [writer, directory]);
      await child.sees(`acknowledged ${round * 40}`);
      await child.kill();
      const acknowledged = child.lines.filter((line) => line.startsWith("acknowledged")).length;
      const store = await openRaftStore({ directory, allowVolatile: true });
      // The one under way when it died may be there or not, but as a whole.
      const { lastIndex } = store.log;
      expect([acknowledged, acknowledged + 1]).toContain(lastIndex);
      expect(store.hardState).toEqual({ currentTerm: lastIndex, votedFor: null });
      const entries = store.log.entries(1, lastIndex, Number.MAX_SAFE_INTEGER);
      expect(entries.map(({ term }) => term)).toEqual(entries.map(({ index }) => index));
      await store.close();
    }
  });

  it.skipIf(!hasStrace)("was fsynced before done (needs strace)", async () => {
    const directory = join(root, "traced");
    const trace = join(root, "trace.txt");
    const traced = "trace=fdatasync,fsync,pwrite64,pwritev,write,writev";
    const strace = ["-f", "-y", "-e", traced, "-o", trace];
    const child = startChild("strace", [...strace, process.execPath, writer, directory, "5"]);
    await child.sees("acknowledged 5");
    // strace passes no SIGKILL on: end the process that it traces, and it ends too.
    const pid = Number(defined(readFileSync(trace, "utf8").split(" ")[0], "a process id"));
    process.kill(pid, "SIGKILL");
    await child.ended;
    const steps = readFileSync(trace, "utf8").split("\n").flatMap(stepOf);
    for (let index = 1; index <= 5; index++) {
      const asked = steps.indexOf(`asked ${index}`);
      const acknowledged = steps.indexOf(`acknowledged ${index}`);
      const between = steps.slice(asked + 1, acknowledged);
      // Pages, then fsync, then the meta page through its O_DSYNC descriptor: each ends before the next.
      expect(between.filter((step, at) => step !== between[at - 1])).toEqual([
        "write",
        "fdatasync",
        "write",
      ]);
    }
  });
});

/** What a finished system call means here. */
function stepOf(line: string): readonly string[] {
  const marker = /write\(1<.*"((?:asked|acknowledged) \d+)\\n"/.exec(line)?.[1];
  if (marker !== undefined) return [marker];
  const isFinished = /= \d+$/.test(line);
  if (!isFinished) return [];
  if (/fdatasync/.test(line)) return ["fdatasync"];
  const isWrite = /(pwrite64|writev|pwritev)(\(\d+<[^>]*raft\.mdb>| resumed>)/.test(line);
  return isWrite ? ["write"] : [];
}

describe("a full disk", () => {
  it("is noticed before the file outgrows its limit, and loses nothing", async () => {
    const directory = join(root, "small");
    const store = await openRaftStore({ directory, allowVolatile: true, fileMaxBytes: 1 << 20 });
    const chunk = new Uint8Array(64 * 1024);
    let written = 0;
    let error = null;
    while (error === null) {
      const [entry] = entriesOf(1, written + 1, written + 1);
      const entries = [{ ...defined(entry, "an entry"), data: chunk }];
      error = await persisted(store, { entries });
      if (error === null) written++;
    }
    expect(error.code).toBe("STORAGE_FULL");
    expect(error.message).toContain("limit of 1048576 bytes");
    expect(written).toBeGreaterThan(8);
    expect(store.log.lastIndex).toBe(written);
    const later = await persisted(store, { hardState: { currentTerm: 9, votedFor: null } });
    expect(later?.code).toBe("STORAGE_FULL");
    expect((await saved(store, snapshotAt(2, 1)))?.code).toBe("STORAGE_FULL");
    await store.close();
    const next = await openRaftStore({ directory, allowVolatile: true });
    expect(next.log.lastIndex).toBe(written);
    expect(next.log.entries(written, written, 1)[0]?.data).toEqual(chunk);
    await next.close();
  });

  it("knows which snapshot would leave less than that", async () => {
    const directory = join(root, "snapshots");
    mkdirSync(directory);
    const store = await openRaftStore({ directory, allowVolatile: true });
    expect(store.shortageFor(1)).toBeNull();
    const shortage = store.shortageFor(2 ** 52);
    expect(shortage?.neededBytes).toBeGreaterThan(2 ** 52);
    expect(shortage?.freeBytes).toBeGreaterThan(0);
    await store.close();
  });

  it("is noticed while there is still room to log in", async () => {
    const directory = join(root, "reserve");
    mkdirSync(directory);
    const freeMinBytes = Number.MAX_SAFE_INTEGER;
    const opened = openRaftStore({ directory, allowVolatile: true, freeMinBytes });
    await expect(opened).rejects.toMatchObject({ code: "STORAGE_FULL" });
    await expect(opened).rejects.toThrow(
      /The disk of .*reserve is full: [\d.]+ MiB are free, and [\d.]+ MiB are needed/,
    );
  });

  it.skipIf(!existsSync("/dev/full"))("is called full whatever file meets it", () => {
    let failure: unknown;
    try {
      writeFileSync("/dev/full", "x");
    } catch (error) {
      failure = error;
    }
    expect(ioError("/var/lib/node/raft/.lock", failure).message).toBe(
      "/var/lib/node/raft/.lock cannot be written: its disk is full (ENOSPC). Free some space and " +
        "start again; nothing that was acknowledged is lost.",
    );
  });

  it("is met by the file before LMDB meets it, and nothing acknowledged is lost", async () => {
    const directory = join(root, "limited");
    // A limit on the size of files makes write(2) fail like a full disk does.
    const script = `ulimit -f 4096; exec "${process.execPath}" "${writer}" "${directory}" 0 30000`;
    const child = startChild("bash", ["-c", script]);
    await child.ended;
    expect(child.stderr()).toContain("STORAGE_FULL");
    const acknowledged = child.lines.filter((line) => line.startsWith("acknowledged")).length;
    expect(acknowledged).toBeGreaterThan(50);
    const store = await openRaftStore({ directory, allowVolatile: true });
    expect(store.log.lastIndex).toBe(acknowledged);
    const entries = store.log.entries(1, acknowledged, Number.MAX_SAFE_INTEGER);
    expect(entries).toHaveLength(acknowledged);
    await store.close();
    expect(existsSync(join(directory, ".lock"))).toBe(false);
  });
});
