/** A log sink that keeps its lines, so that tests can read what operators would. */
import type { LogSink } from "../../src/observability/log-sink.ts";

export class MemorySink implements LogSink {
  readonly lines: string[] = [];
  readonly droppedLines = 0;

  write(line: string): void {
    this.lines.push(line.trimEnd());
  }

  reopen(): void {}
  flush(): void {}
  close(): void {}
}
