/**
 * Where log lines go. A line is with the kernel when `write` returns, so a crash right after it
 * loses nothing; and `write` never waits, so whoever stopped reading a pipe does not stop the chain.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { ObservabilityError } from "./errors.ts";

export interface LogSink {
  /** `line` ends in a line feed. Never throws and never waits. */
  write(line: string): void;
  /** Opens the log file again under its name, after logrotate has moved it. */
  reopen(): void;
  /** Gives a slow reader a last, bounded chance. */
  flush(): void;
  /** Flushes first. Lines after it are dropped; may be called twice. */
  close(): void;
  /** Lines that nobody will read, since the reader was too slow or the disk was full. */
  readonly droppedLines: number;
}

/** Lines kept for a reader that is slow; beyond it the newest are dropped and counted. */
export const pendingMaxBytes = 4 * 1024 * 1024;

const retryDelayMs = 20;
/** A stop waits for a reader as long as it reads, but not for ever. */
const flushStallMaxMs = 1_000;
const flushWaitMaxMs = 5_000;

export interface FileSinkOptions {
  /** The log file; null for standard output. */
  readonly path: string | null;
  /** The line that tells of dropped ones, once lines get through again. */
  readonly describeDropped: (count: number) => string;
}

/** Opens standard output or a log file. Throws {@link ObservabilityError} if the file cannot be opened. */
export function openSink({ path, describeDropped }: FileSinkOptions): LogSink {
  const open = () => (path === null ? openStdout() : openLogFile(path));
  return new DescriptorSink(open, describeDropped);
}

/** Writes to a file descriptor that refuses (EAGAIN) rather than waits. Exported for tests. */
export class DescriptorSink implements LogSink {
  readonly #open: () => number;
  readonly #describeDropped: (count: number) => string;
  readonly #onExit = () => this.flush();
  #descriptor: number;
  /** Not yet written, oldest first; the first may be the rest of a line. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #retry: NodeJS.Timeout | null = null;
  /** After it a write would go to whatever file has got the same number since. */
  #isClosed = false;
  #droppedLines = 0;
  #reportedLines = 0;

  constructor(open: () => number, describeDropped: (count: number) => string) {
    this.#open = open;
    this.#describeDropped = describeDropped;
    this.#descriptor = open();
    process.on("exit", this.#onExit);
  }

  get droppedLines(): number {
    return this.#droppedLines;
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#isClosed || this.#pendingBytes + bytes.length > pendingMaxBytes) {
      this.#droppedLines++;
      return;
    }
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#retry === null) this.#writePending();
  }

  reopen(): void {
    this.#writePending();
    const before = this.#descriptor;
    this.#descriptor = this.#open();
    closeDescriptor(before);
    this.#writePending();
  }

  flush(): void {
    const startedAt = performance.now();
    let progressAt = startedAt;
    let leftBytes = this.#pendingBytes;
    this.#writePending();
    while (this.#pendingBytes > 0) {
      const now = performance.now();
      if (this.#pendingBytes < leftBytes) progressAt = now;
      if (now - progressAt > flushStallMaxMs || now - startedAt > flushWaitMaxMs) return;
      leftBytes = this.#pendingBytes;
      pauseThread(retryDelayMs);
      this.#writePending();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.flush();
    this.#isClosed = true;
    process.off("exit", this.#onExit);
    if (this.#retry !== null) clearTimeout(this.#retry);
    closeDescriptor(this.#descriptor);
  }

  #writePending(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    while (this.#pending.length > 0) {
      const bytes = this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending);
      if (bytes === undefined) return;
      const outcome = tryWrite(this.#descriptor, bytes);
      if (outcome === "failed") {
        this.#dropPending();
        return;
      }
      this.#keepFrom(bytes, outcome);
      if (outcome < bytes.length) {
        this.#retryLater();
        return;
      }
      this.#reportDropped();
    }
  }

  #keepFrom(bytes: Buffer, written: number): void {
    this.#pending = written === bytes.length ? [] : [bytes.subarray(written)];
    this.#pendingBytes = bytes.length - written;
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => this.#writePending(), retryDelayMs);
    // Log lines alone keep no process alive; the exit hook writes what is left.
    this.#retry.unref();
  }

  /** The reader is gone (EPIPE) or the disk is full: the node goes on without its log. */
  #dropPending(): void {
    for (const bytes of this.#pending) this.#droppedLines += countLines(bytes);
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  #reportDropped(): void {
    const count = this.#droppedLines - this.#reportedLines;
    if (count === 0) return;
    this.#reportedLines = this.#droppedLines;
    this.write(this.#describeDropped(count));
  }
}

/** How many bytes the kernel took, 0 if it has no room, or "failed". */
function tryWrite(descriptor: number, bytes: Buffer): number | "failed" {
  try {
    return writeSync(descriptor, bytes);
  } catch (error) {
    return isCode(error, "EAGAIN") ? 0 : "failed";
  }
}

/** The descriptor of standard output, in non-blocking mode unless it is a file. */
function openStdout(): number {
  const stdout = 1;
  if (fstatSync(stdout).isFile()) return stdout;
  try {
    // An open file description of our own: O_NONBLOCK on the shared one would surprise its other owners.
    const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  } catch {
    // A socket (the journal's) cannot be opened by name, and systems other than Linux have no /proc.
    // Touching process.stdout has libuv put a pipe or socket into non-blocking mode.
    void process.stdout;
    return stdout;
  }
}

function openLogFile(path: string): number {
  try {
    return openSync(path, "a", 0o640);
  } catch (error) {
    throw logFileUnusable(path, error);
  }
}

function logFileUnusable(path: string, cause: unknown): ObservabilityError {
  const advice = `cannot open the log file ${path}: create its directory and let this user write there, or remove log.file to log to standard output`;
  return new ObservabilityError({ code: "LOG_FILE_UNUSABLE", path }, advice, { cause });
}

/** Blocks: only for a thread that has nothing else to do any more. */
function pauseThread(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

function closeDescriptor(descriptor: number): void {
  if (descriptor > 2) closeSync(descriptor);
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (const byte of bytes) if (byte === 0x0a) lines++;
  return lines;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
