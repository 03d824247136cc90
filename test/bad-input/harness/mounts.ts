/** File systems that are small or read-only, where this user may mount some. */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

function run(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { timeout: 10_000 }).status === 0;
}

export class Mount {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static small(path: string, mebibytes: number): Mount {
    mkdirSync(path, { recursive: true });
    if (!run("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", path])) {
      throw new Error(`cannot mount a tmpfs on ${path}`);
    }
    return new Mount(path);
  }

  /** `path` over itself, without the right to write. */
  static readOnly(path: string): Mount {
    const isMounted =
      run("mount", ["--bind", path, path]) && run("mount", ["-o", "remount,ro,bind", path]);
    if (!isMounted) throw new Error(`cannot mount ${path} read-only`);
    return new Mount(path);
  }

  unmount(): void {
    run("umount", ["-l", this.path]);
  }
}

/** Whether this user may do it at all: a container's root often may not. */
export const canMount = tryOut();

function tryOut(): boolean {
  const path = mkdtempSync(join(tmpdir(), "evm-mount-"));
  try {
    Mount.small(path, 1).unmount();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
