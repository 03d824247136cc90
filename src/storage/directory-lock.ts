/**
 * One process per directory. Two things hold it together:
 *
 * - An abstract Unix socket named after the directory's device and inode. The kernel gives a name to one
 *   process, and takes it back the moment that process dies, so there is nothing stale and no race.
 *   It is seen within one network namespace.
 * - `.lock`, a file that says who holds it. It makes the message, and speaks for holders whose socket we
 *   cannot see: in another container, or on another machine that mounts the same disk.
 *
 *   | .lock names                               | then                                              |
 *   | this namespace of this boot               | its socket is gone, so it is: take over           |
 *   | this host name, elsewhere                 | we rebooted, or our container did: take over      |
 *   | another host name                         | refuse; only a person can know that it is dead    |
 *
 * Where the kernel has no abstract sockets, a living process of that id holds the lock instead.
 */
import { readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { errnoOf, ioError, StorageError } from "./errors.ts";

const fileName = ".lock";

interface Holder {
  readonly pid: number;
  readonly startedAt: string;
  readonly host: string;
  /** Which kernel, and which network namespace of it: where the socket can be seen. */
  readonly realm: string;
}

export class DirectoryLock {
  readonly #path: string;
  readonly #socket: Server | null;
  #isReleased = false;

  private constructor(path: string, socket: Server | null) {
    this.#path = path;
    this.#socket = socket;
  }

  /** Throws STORAGE_LOCKED, with who holds it, if that is not us. */
  static async acquire(directory: string): Promise<DirectoryLock> {
    const path = `${directory}/${fileName}`;
    const holder = readHolder(path);
    const name = await bindName(directory);
    if (name.kind === "taken") throw locked(directory, path, holder);
    if (holder !== null && !isGone(holder, name.kind)) {
      if (name.kind === "bound") name.socket.close();
      throw locked(directory, path, holder);
    }
    try {
      writeFileSync(path, `${JSON.stringify(ourselves())}\n`, { mode: 0o600 });
    } catch (error) {
      if (name.kind === "bound") name.socket.close();
      throw ioError(path, error);
    }
    return new DirectoryLock(path, name.kind === "bound" ? name.socket : null);
  }

  /** May be called twice. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    rmSync(this.#path, { force: true });
    await new Promise<void>((resolve) => {
      if (this.#socket === null) resolve();
      else this.#socket.close(() => resolve());
    });
  }
}

type BoundName =
  | { readonly kind: "bound"; readonly socket: Server }
  | { readonly kind: "taken" }
  | { readonly kind: "unsupported" };

function bindName(directory: string): Promise<BoundName> {
  if (process.platform !== "linux") return Promise.resolve({ kind: "unsupported" });
  // The inode, and not the path: a link or a bind mount leads to the same directory.
  const { dev, ino } = statSync(directory, { bigint: true });
  return new Promise((resolve) => {
    const socket = createServer((connection) => connection.destroy());
    socket.once("error", (error) =>
      resolve({ kind: errnoOf(error) === "EADDRINUSE" ? "taken" : "unsupported" }),
    );
    socket.listen(`\0ev-sequencer/${dev}-${ino}`, () => {
      socket.unref();
      resolve({ kind: "bound", socket });
    });
  });
}

function isGone(holder: Holder, name: "bound" | "unsupported"): boolean {
  if (holder.host !== hostname() && holder.realm !== realm()) return false;
  return name === "bound" || !isAlive(holder.pid);
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

function ourselves(): Holder {
  const startedMs = performance.timeOrigin;
  const startedAt = new Date(startedMs).toISOString();
  return { pid: process.pid, startedAt, host: hostname(), realm: realm() };
}

function realm(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/net")}`;
  } catch {
    // No such files outside Linux, where the host's name has to do.
    return hostname();
  }
}

/** Null without a file, or with one that a crash left unfinished: its writer is gone then. */
function readHolder(path: string): Holder | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw ioError(path, error);
  }
  try {
    return decodeHolder(JSON.parse(text));
  } catch {
    return null;
  }
}

function decodeHolder(value: unknown): Holder | null {
  if (typeof value !== "object" || value === null) return null;
  if (!("pid" in value && "startedAt" in value && "host" in value && "realm" in value)) return null;
  const { pid, startedAt, host, realm: where } = value;
  if (typeof pid !== "number" || typeof startedAt !== "string") return null;
  if (typeof host !== "string" || typeof where !== "string") return null;
  return { pid, startedAt, host, realm: where };
}

function locked(directory: string, path: string, holder: Holder | null): StorageError {
  const who =
    holder === null
      ? "another process"
      : `process ${holder.pid} on ${holder.host}, started ${holder.startedAt}`;
  const isHere = holder === null || holder.host === hostname();
  const advice = isHere
    ? "Stop it, or give this node a directory of its own."
    : `If it runs no more, remove ${path} and start again; two nodes in one directory destroy it.`;
  return new StorageError(
    { code: "STORAGE_LOCKED", directory, holder: who },
    `${directory} is in use by ${who}. ${advice}`,
  );
}
