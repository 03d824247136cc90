import { describe, expect, it } from "vitest";
import { createLogger } from "../../src/observability/logger.ts";
import { MemorySink } from "./memory-sink.ts";

function open(level: "debug" | "info" | "warn" | "error" = "info") {
  const sink = new MemorySink();
  const clock = { nowMs: 0 };
  const log = createLogger({ level, format: "text" }, { sink, nowMs: () => clock.nowMs });
  return { sink, clock, log };
}

describe("logger", () => {
  it("writes nothing below its level", () => {
    const { sink, log } = open("warn");
    log.debug({}, "a");
    log.info({}, "b");
    log.warn({}, "c");
    log.error({}, "d");
    expect(sink.lines).toEqual([
      "1970-01-01T00:00:00.000Z WRN c",
      "1970-01-01T00:00:00.000Z ERR d",
    ]);
  });

  it("prefixes a component", () => {
    const { sink, log } = open();
    log.child("raft").info({ tally: 3 }, "election won");
    expect(sink.lines).toEqual(["1970-01-01T00:00:00.000Z INF raft: election won tally=3"]);
  });

  it("dates a line by when it happened, not by when it was told", () => {
    const { sink, clock, log } = open();
    clock.nowMs = 5000;
    log.info({}, "late", 1234);
    expect(sink.lines).toEqual(["1970-01-01T00:00:01.234Z INF late"]);
  });

  it("lets a provoked line through once an interval and counts the rest", () => {
    const { sink, clock, log } = open();
    const provoke = () => log.every("refused", 10_000)?.warn({ address: "a" }, "refused");
    for (let time = 0; time < 100; time++) provoke();
    clock.nowMs = 10_000;
    provoke();
    clock.nowMs = 30_000;
    provoke();
    expect(sink.lines).toEqual([
      "1970-01-01T00:00:00.000Z WRN refused address=a",
      "1970-01-01T00:00:10.000Z WRN refused address=a suppressed=99",
      "1970-01-01T00:00:30.000Z WRN refused address=a",
    ]);
  });

  it("counts each component's provoked lines for themselves", () => {
    const { sink, log } = open();
    log.child("raft").every("refused", 10_000)?.warn({}, "refused");
    log.child("rpc").every("refused", 10_000)?.warn({}, "refused");
    expect(sink.lines).toHaveLength(2);
  });
});
