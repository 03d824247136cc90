import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ObservabilityError } from "../../src/observability/errors.ts";
import type { LogSink } from "../../src/observability/log-sink.ts";
import { DescriptorSink, openSink, pendingMaxBytes } from "../../src/observability/log-sink.ts";

const describeDropped = (count: number) => `dropped=${count}\n`;
let directory: string;
let sink: LogSink | null;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "log-sink-"));
  sink = null;
});

afterEach(() => {
  sink?.close();
  rmSync(directory, { recursive: true });
});

describe("log file", () => {
  it("holds a line as soon as it is written, so a crash loses none", () => {
    const path = join(directory, "node.log");
    sink = openSink({ path, describeDropped });
    sink.write("one\n");
    expect(readFileSync(path, "utf8")).toBe("one\n");
  });

  it("is appended to, not overwritten, by the next process", () => {
    const path = join(directory, "node.log");
    openSink({ path, describeDropped }).write("one\n");
    sink = openSink({ path, describeDropped });
    sink.write("two\n");
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  });

  it("is opened again under its name after logrotate moved it", () => {
    const path = join(directory, "node.log");
    sink = openSink({ path, describeDropped });
    sink.write("one\n");
    renameSync(path, `${path}.1`);
    sink.write("two\n");
    sink.reopen();
    sink.write("three\n");
    expect(readFileSync(`${path}.1`, "utf8")).toBe("one\ntwo\n");
    expect(readFileSync(path, "utf8")).toBe("three\n");
  });

  it("goes on in the old file if the new one cannot be opened", () => {
    const path = join(directory, "logs", "node.log");
    execFileSync("mkdir", [join(directory, "logs")]);
    sink = openSink({ path, describeDropped });
    renameSync(join(directory, "logs"), join(directory, "moved"));
    expect(() => sink?.reopen()).toThrow(ObservabilityError);
    sink.write("still here\n");
    expect(readFileSync(join(directory, "moved", "node.log"), "utf8")).toBe("still here\n");
  });

  it("that was closed takes no more lines: its descriptor may be another file's by now", () => {
    const path = join(directory, "node.log");
    const closed = openSink({ path, describeDropped });
    closed.write("one\n");
    closed.close();
    closed.close();
    const other = openSync(join(directory, "other"), "w");
    closed.write("two\n");
    closeSync(other);
    expect(readFileSync(path, "utf8")).toBe("one\n");
    expect(readFileSync(join(directory, "other"), "utf8")).toBe("");
    expect(closed.droppedLines).toBe(1);
  });

  it("that cannot be opened is an error with advice", () => {
    const path = join(directory, "missing", "node.log");
    expect(() => openSink({ path, describeDropped })).toThrow(/create its directory/);
  });

  it("on a full disk costs lines, counted, and never throws", () => {
    sink = openSink({ path: "/dev/full", describeDropped });
    sink.write("one\n");
    sink.write("two\n");
    expect(sink.droppedLines).toBe(2);
  });
});

describe("a pipe that nobody reads", () => {
  let reader: number;

  beforeEach(() => {
    const path = join(directory, "pipe");
    execFileSync("mkfifo", [path]);
    reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = () => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    sink = new DescriptorSink(writer, describeDropped);
  });

  afterEach(() => closeSync(reader));

  it("never blocks the node: lines are kept up to a bound, then dropped and counted", async () => {
    const line = `${"x".repeat(99)}\n`;
    const written = Math.ceil((2 * pendingMaxBytes) / line.length);
    for (let at = 0; at < written; at++) sink?.write(line);
    const dropped = sink?.droppedLines ?? 0;
    expect(dropped).toBeGreaterThan(written / 4);

    const text = await readUntil(`dropped=${dropped}\n`);
    const lines = text.split("\n").slice(0, -2);
    expect(lines).toHaveLength(written - dropped);
    expect(new Set(lines)).toEqual(new Set([line.trimEnd()]));
  });

  it("gets every line, in order, from a slow reader within the bound", async () => {
    const lines = Array.from({ length: 20_000 }, (_, at) => `line ${at}\n`);
    for (const line of lines) sink?.write(line);
    expect(await readUntil("line 19999\n")).toBe(lines.join(""));
    expect(sink?.droppedLines).toBe(0);
  });

  it("holds up a stop for a bounded time only", () => {
    for (let at = 0; at < 20_000; at++) sink?.write(`line ${at}\n`);
    const before = performance.now();
    sink?.flush();
    expect(performance.now() - before).toBeLessThan(5_000);
  });

  it("may lose its reader: lines are dropped, nothing throws", () => {
    closeSync(reader);
    sink?.write("one\n");
    expect(sink?.droppedLines).toBe(1);
    reader = openSync(join(directory, "pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
  });

  async function readUntil(end: string): Promise<string> {
    let text = "";
    const chunk = Buffer.alloc(65_536);
    while (!text.endsWith(end)) {
      text += chunk.toString("utf8", 0, readNow(chunk));
      await setImmediate();
    }
    return text;
  }

  /** 0 if the pipe is empty for now. */
  function readNow(chunk: Buffer): number {
    try {
      return readSync(reader, chunk);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") return 0;
      throw error;
    }
  }
});
