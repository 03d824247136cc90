/** `evm devnet` as a user runs it: real processes, real kills. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { evm, startEvm, temporaryDirectory } from "../cli/evm.ts";

const { path: root, remove } = temporaryDirectory();
afterAll(remove);

describe("the command line", () => {
  const file = join(root, "file");
  writeFileSync(file, "");
  writeFileSync(join(root, "mine.txt"), "");

  it.each([
    [["--nodes", "2"], 64, "Give 1, 3, 5 or 7"],
    [["--block-time", "5"], 64, "write 5ms for milliseconds or 5s for seconds"],
    [["--evnode.raft.node_id=a"], 64, "--evnode.raft.node_id cannot be given to evm devnet"],
    [["--dir", root], 64, "is not empty and was not made by evm devnet"],
    [["--dir", join(file, "net")], 74, "(ENOTDIR)"],
    [["--dir", "/proc/net-of-mine/a"], 74, "(ENOENT)"],
  ])("%j is refused with %d and a reason", async (args, code, reason) => {
    const { exitCode, stdout, stderr } = await evm(["devnet", ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: "" });
    expect(stderr).toContain(reason);
    expect(existsSync(join(root, "mine.txt"))).toBe(true);
  });
});

describe("a run", () => {
  it("under load and kills ends with a verified chain (P1, P7); the folder is its own", async () => {
    const directory = join(root, "run");
    const flags = "--nodes 3 --block-time 200ms --load 50 --kill-leader-every 3s --duration 9s";
    const child = startEvm(["devnet", ...flags.split(" "), "--dir", directory]);
    const ended = new Promise((resolve) => child.once("close", resolve));
    const lines: string[] = [];
    let stderr = "";
    child.stderr.on("data", (data) => {
      stderr += String(data);
    });
    let second: Awaited<ReturnType<typeof evm>> | null = null;
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line.includes("blocks are made")) second = await evm(["devnet", "--dir", directory]);
    }
    expect({ exitCode: await ended, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(second?.exitCode).toBe(69);
    expect(second?.stderr).toContain(
      `a devnet runs in ${directory} already: process ${child.pid} `,
    );

    const text = lines.join("\n");
    expect(text).not.toContain("\x1b");
    expect(text).toMatch(/ {2}send {3}curl -d hello=world http:\/\/127\.0\.0\.1:\d+\/tx/);
    expect(text).toMatch(/kill -9 node-\d \(leader in term \d+, process \d+\)/);
    expect(text).toMatch(/blocks again after a gap of \d+ ms, at height \d+/);
    expect(text).toMatch(/\nload: [1-9]\d* accepted, 0 failed, 0 waiting; p50 /);
    expect(text).toMatch(
      /\nkills: [1-9]\d*; gap between blocks p50 \d+ ms, p95 \d+ ms, max \d+ ms/,
    );
    expect(lines.at(-1)).toMatch(
      /^verified: 3 nodes agree on all \d+ blocks; [1-9]\d* acknowledged transactions, each in the chain exactly once$/,
    );
    expect(alive(nodePids(directory))).toEqual([]);
  });

  it("leaves no process behind when it is killed itself", async () => {
    const directory = join(root, "killed");
    const child = startEvm(["devnet", "--nodes", "1", "--dir", directory]);
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes("blocks are made")) break;
    }
    const pids = nodePids(directory);
    expect(alive(pids)).toHaveLength(1);
    child.kill("SIGKILL");
    while (alive(pids).length > 0) await wait(20);
  });

  it("ends cleanly on SIGTERM, however early", async () => {
    const child = startEvm(["devnet", "--nodes", "1", "--dir", join(root, "stopped")]);
    const ended = new Promise((resolve) => child.once("close", resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes("node-1=starting")) child.kill("SIGTERM");
    }
    expect(await ended).toBe(0);
  });

  it("ends with its verdict on a Ctrl-C that npm passes on besides", async () => {
    const child = startEvm(["devnet", "--nodes", "3", "--dir", join(root, "interrupted")]);
    const ended = new Promise((resolve) => child.once("close", resolve));
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (!line.includes("blocks are made")) continue;
      child.kill("SIGINT");
      child.kill("SIGINT");
    }
    expect(await ended).toBe(0);
    expect(lines.at(-1)).toMatch(/^verified: 3 nodes agree on all \d+ blocks/);
  });

  it("a node that ends by itself is shown with the end of its log, and is 70", async () => {
    const args = ["devnet", "--nodes", "1", "--dir", join(root, "broken")];
    const { exitCode, stdout, stderr } = await evm([...args, "--evnode.raft.snap_count=banana"]);
    expect(exitCode).toBe(70);
    expect(stdout).toMatch(
      /node-1 ended by itself \(exit code 78\)\. The end of .*node\.log:\n {4}/,
    );
    expect(stdout).toContain("raft.snap_count");
    expect(stderr).toContain("evm: the devnet ended with 1 problem\n  node-1 ended by itself");
  });
});

const lockSchema = z.object({ pid: z.number() });

/** As the nodes' own locks name them. A lock is removed by a node that stops in peace. */
function nodePids(directory: string): readonly number[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith("node-"))
    .map((name) => join(directory, name, "raft", ".lock"))
    .filter((path) => existsSync(path))
    .map((path) => lockSchema.parse(JSON.parse(readFileSync(path, "utf8"))).pid);
}

function alive(pids: readonly number[]): readonly number[] {
  return pids.filter((pid) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  });
}
