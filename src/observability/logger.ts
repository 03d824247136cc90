/**
 * Logging: `log.info({ term, leaderId }, "became leader")`. Facts in fields, a constant sentence
 * last, one child logger a component. error: someone must act; warn: soon; info: a role, membership,
 * start, stop or block; debug: a message.
 */
import type { Facts, FormatRecord, LogLevel } from "./log-format.ts";
import { formatJson, formatText } from "./log-format.ts";
import type { LogSink } from "./log-sink.ts";
import { openSink } from "./log-sink.ts";
import { RateLimit } from "./rate-limit.ts";

export interface Logger {
  /** `atMs` is when it happened (Unix time); now, unless it is told here later. */
  debug(facts: Facts, sentence: string, atMs?: number): void;
  info(facts: Facts, sentence: string, atMs?: number): void;
  warn(facts: Facts, sentence: string, atMs?: number): void;
  error(facts: Facts, sentence: string, atMs?: number): void;
  /** Its sentences are prefixed `component: ` in text, and carry the component in JSON. */
  child(component: string): Logger;
  /**
   * For lines that a stranger can provoke: a logger at most once per `intervalMs` for this key, and
   * null in between. What was held back is counted in the next line's `suppressed`:
   * `log.every("refused", 10_000)?.warn({ address }, "refused a connection")`
   */
  every(key: string, intervalMs: number): Logger | null;
}

/** The process's logger: the one that opened the file, and can open it again. */
export interface RootLogger extends Logger {
  /** For SIGHUP, after logrotate has moved `log.file`. Throws ObservabilityError; logging then goes on in the old file. */
  reopen(): void;
  /** Waits, for a bounded time, until all lines are out. Also runs when the process exits. */
  flush(): void;
  close(): void;
  /** Lines lost since the start, to a reader that was too slow or a disk that was full. */
  readonly droppedLines: number;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  /** The log file; null or absent for standard output. */
  readonly file?: string | null;
}

export interface LoggerDependencies {
  /** Unix time in milliseconds. */
  readonly nowMs?: () => number;
  readonly sink?: LogSink;
}

/** Opens the log. Throws ObservabilityError if the file cannot be opened. */
export function createLogger(
  options: LoggerOptions,
  { nowMs = Date.now, sink }: LoggerDependencies = {},
): RootLogger {
  const format = options.format === "json" ? formatJson : formatText;
  const describeDropped = (count: number) =>
    format({
      atMs: nowMs(),
      level: "warn",
      component: "log",
      sentence: "lines were dropped: their reader was too slow or the disk was full",
      facts: { count },
    });
  const output = sink ?? openSink({ path: options.file ?? null, describeDropped });
  const limit = new RateLimit(nowMs);
  return new LineLogger({ output, format, nowMs, limit, threshold: ranks[options.level] });
}

const ranks = { debug: 10, info: 20, warn: 30, error: 40 } as const;

interface Shared {
  readonly output: LogSink;
  readonly format: FormatRecord;
  readonly nowMs: () => number;
  readonly limit: RateLimit;
  readonly threshold: number;
}

class LineLogger implements RootLogger {
  readonly #shared: Shared;
  readonly #component: string;
  readonly #suppressed: number;

  constructor(shared: Shared, component = "", suppressed = 0) {
    this.#shared = shared;
    this.#component = component;
    this.#suppressed = suppressed;
  }

  get droppedLines(): number {
    return this.#shared.output.droppedLines;
  }

  debug(facts: Facts, sentence: string, atMs?: number): void {
    this.#write("debug", facts, sentence, atMs);
  }

  info(facts: Facts, sentence: string, atMs?: number): void {
    this.#write("info", facts, sentence, atMs);
  }

  warn(facts: Facts, sentence: string, atMs?: number): void {
    this.#write("warn", facts, sentence, atMs);
  }

  error(facts: Facts, sentence: string, atMs?: number): void {
    this.#write("error", facts, sentence, atMs);
  }

  child(component: string): Logger {
    return new LineLogger(this.#shared, component);
  }

  every(key: string, intervalMs: number): Logger | null {
    const suppressed = this.#shared.limit.pass(`${this.#component}/${key}`, intervalMs);
    return suppressed === null ? null : new LineLogger(this.#shared, this.#component, suppressed);
  }

  reopen(): void {
    this.#shared.output.reopen();
  }

  flush(): void {
    this.#shared.output.flush();
  }

  close(): void {
    this.#shared.output.close();
  }

  #write(level: LogLevel, facts: Facts, sentence: string, atMs?: number): void {
    const { output, format, nowMs, threshold } = this.#shared;
    if (ranks[level] < threshold) return;
    const told = this.#suppressed === 0 ? facts : { ...facts, suppressed: this.#suppressed };
    const component = this.#component;
    output.write(format({ atMs: atMs ?? nowMs(), level, component, sentence, facts: told }));
  }
}
