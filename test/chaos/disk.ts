/**
 * A node's disk that can be full or slow: ext4 in a file, mounted as a block device of its own, with the node's
 * blocks and its log on it. What the node says goes elsewhere, since a full disk would not take it.
 *
 *   full   a file takes what is free
 *   slow   the kernel lets through so many writes a second (blkio), of this device alone
 */

import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const mebibyte = 1024 * 1024;
/** The file has holes: it takes what the nodes write, and no more. */
const diskBytes = 4096 * mebibyte;
/** What a node puts into its home while it runs. */
const directoriesOnDisk = ["data", "raft"];

const mounted = new Set<Disk>();
// However this process ends in order, it leaves no mount behind.
process.on("exit", () => {
  for (const disk of mounted) disk.unmount();
});

export class Disk {
  readonly #path: string;
  readonly #image: string;
  readonly #device: string;

  /** A new one at `path`. Throws where this user may not mount. */
  constructor(path: string, sizeBytes = diskBytes) {
    this.#path = path;
    this.#image = `${path}.img`;
    mkdirSync(path, { recursive: true });
    writeFileSync(this.#image, "");
    truncateSync(this.#image, sizeBytes);
    run("mkfs.ext4", ["-q", "-m", "0", this.#image]);
    run("mount", ["-o", "loop,noatime", this.#image, path]);
    mounted.add(this);
    this.#device = deviceOf(path);
  }

  /** From now on a node with that home writes here. */
  carry(home: string, names: readonly string[] = directoriesOnDisk): void {
    for (const name of names) {
      mkdirSync(join(this.#path, name), { mode: 0o700 });
      symlinkSync(join(this.#path, name), join(home, name));
    }
  }

  /** All is taken but for `leftBytes`. */
  fill(leftBytes: number): void {
    // What the file system needs for the list of the file's blocks is left to the second one.
    const largeBytes = this.#freeBytes - leftBytes - mebibyte;
    run("fallocate", ["-l", String(largeBytes), this.#filler(1)]);
    const file = openSync(this.#filler(2), "w");
    try {
      const zeros = new Uint8Array(16 * 1024);
      while (this.#freeBytes > leftBytes) writeSync(file, zeros);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    } finally {
      closeSync(file);
    }
  }

  clear(): void {
    for (const nth of [1, 2]) rmSync(this.#filler(nth), { force: true });
  }

  /** null: as many as the disk under it takes. Throws where the kernel cannot. */
  limitWrites(perSecond: number | null): void {
    writeFileSync(limitFile(), `${this.#device} ${perSecond ?? 0}`);
  }

  /** Nothing happens the second time. */
  unmount(): void {
    if (!mounted.delete(this)) return;
    run("umount", ["-l", this.#path]);
    rmSync(this.#image);
  }

  #filler(nth: number): string {
    return join(this.#path, `filler-${nth}`);
  }

  get #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#path);
    return bavail * bsize;
  }
}

/** Why no disk can be filled, or slowed down, by this user on this machine; null if it can. */
export function whyNoDisk(fault: "full" | "slow"): string | null {
  if (fault === "slow" && !existsSync(limitFile())) {
    return "the kernel has no blkio.throttle here (cgroup v1), which limits one device's writes";
  }
  const directory = mkdtempSync(join(tmpdir(), "evm-disk-"));
  try {
    const disk = new Disk(join(directory, "disk"), 8 * mebibyte);
    disk.unmount();
    return null;
  } catch (error) {
    if (error instanceof CommandError) return error.message;
    throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Of this process' group, which the nodes inherit; the kernel's own writes are the root group's, mostly the same. */
function limitFile(): string {
  const groups = readFileSync("/proc/self/cgroup", "utf8");
  const [, path = "/"] = /^\d+:(?:\w+,)*blkio(?:,\w+)*:(.*)$/m.exec(groups) ?? [];
  return join("/sys/fs/cgroup/blkio", path, "blkio.throttle.write_iops_device");
}

/** `major:minor` of what holds the files at `path`. */
function deviceOf(path: string): string {
  const { dev } = statSync(path);
  return `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
}

class CommandError extends Error {}

function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8", timeout: 20_000 });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim();
  throw new CommandError(`${command} does not work here: ${reason}`);
}
