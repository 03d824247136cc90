/** P12: one process per directory, and no lock that outlives its holder. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DirectoryLock } from "../../src/storage/directory-lock.ts";
import { childScript, startChild } from "./child-process.ts";

const root = mkdtempSync(join(tmpdir(), "directory-lock-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let directories = 0;

function freshDirectory(): string {
  const directory = join(root, String(++directories));
  mkdirSync(directory);
  return directory;
}

describe("a directory", () => {
  it("held by another process is refused with who holds it, until that is killed", async () => {
    const directory = freshDirectory();
    const child = startChild(process.execPath, [childScript("write-entries.ts"), directory, "1"]);
    await child.sees("acknowledged 1");
    const refused = DirectoryLock.acquire(directory);
    await expect(refused).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
    const holder = `in use by process ${child.process.pid} on ${hostname()}, started 20`;
    await expect(refused).rejects.toThrow(holder);
    await child.kill();
    // The file is still there; nobody holds it.
    expect(readFileSync(join(directory, ".lock"), "utf8")).toContain(String(child.process.pid));
    const lock = await DirectoryLock.acquire(directory);
    await lock.release();
  });

  it("is held once within a process too, by whichever path", async () => {
    const directory = freshDirectory();
    const link = join(root, "link");
    symlinkSync(directory, link);
    const lock = await DirectoryLock.acquire(directory);
    await expect(DirectoryLock.acquire(link)).rejects.toMatchObject({ code: "STORAGE_LOCKED" });
    await lock.release();
    await lock.release();
    await (await DirectoryLock.acquire(link)).release();
  });

  it("goes to one of many who try at once", async () => {
    const directory = freshDirectory();
    const tries = Array.from({ length: 10 }, () => DirectoryLock.acquire(directory));
    const outcomes = await Promise.allSettled(tries);
    const held = outcomes.filter(({ status }) => status === "fulfilled");
    expect(held).toHaveLength(1);
    for (const outcome of held) if (outcome.status === "fulfilled") await outcome.value.release();
  });
});

describe("a lock file", () => {
  const write = (directory: string, holder: object | string) =>
    writeFileSync(
      join(directory, ".lock"),
      typeof holder === "string" ? holder : JSON.stringify(holder),
    );
  const former = { pid: 1, startedAt: "2026-01-01T00:00:00.000Z", realm: "another boot" };

  it("of a former life of this host or container is taken over", async () => {
    const directory = freshDirectory();
    write(directory, { ...former, host: hostname() });
    await (await DirectoryLock.acquire(directory)).release();
  });

  it("of another host is respected, with the way out", async () => {
    const directory = freshDirectory();
    write(directory, { ...former, host: "elsewhere" });
    const refused = DirectoryLock.acquire(directory);
    await expect(refused).rejects.toThrow(
      `process 1 on elsewhere, started ${former.startedAt}. If it runs no more, remove ${directory}/.lock`,
    );
    // The refusal holds nothing itself.
    rmSync(join(directory, ".lock"));
    await (await DirectoryLock.acquire(directory)).release();
  });

  it("that a crash left unfinished stands for nobody", async () => {
    const directory = freshDirectory();
    for (const content of ["", "{", "[]", '{"pid":"x"}']) {
      write(directory, content);
      await (await DirectoryLock.acquire(directory)).release();
    }
  });
});
