import { describe, expect, it } from "vitest";
import { CodedError } from "../../src/base/coded-error.ts";
import type { FactValue, LogRecord } from "../../src/observability/log-format.ts";
import { factMaxCharacters, formatJson, formatText } from "../../src/observability/log-format.ts";

const record: LogRecord = {
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  level: "info",
  component: "raft",
  sentence: "entering follower state",
  facts: { leader: "node-1" },
};

const textOf = (value: FactValue) =>
  formatText({ ...record, facts: { value } }).replace(/^.* value=/, "");

describe("text", () => {
  it("is time, level, component, sentence and facts", () => {
    expect(formatText(record)).toBe(
      "2026-01-02T03:04:05.678Z INF raft: entering follower state leader=node-1\n",
    );
  });

  it.each([
    ["debug", "DBG"],
    ["info", "INF"],
    ["warn", "WRN"],
    ["error", "ERR"],
  ] as const)("calls %s %s", (level, name) => {
    expect(formatText({ ...record, level })).toContain(` ${name} raft: `);
  });

  it("has no prefix for the node itself", () => {
    const facts = { height: 1, hash: "0xabc" };
    expect(formatText({ ...record, component: "", sentence: "block produced", facts })).toBe(
      "2026-01-02T03:04:05.678Z INF block produced height=1 hash=0xabc\n",
    );
  });

  it.each<[string, FactValue, string]>([
    ["a plain word", "node-1", "node-1"],
    ["an address", "10.0.0.1:5001", "10.0.0.1:5001"],
    ["an empty string", "", '""'],
    ["a space", "a b", '"a b"'],
    ["a quote", 'a"b', '"a\\"b"'],
    ["an equals sign, or a value could pass for another fact", "a=b", '"a=b"'],
    ["a line feed, or a peer could write lines", "x\n2026 ERR y", '"x\\n2026 ERR y"'],
    ["a carriage return", "a\rb", '"a\\rb"'],
    ["a terminal escape", "\x1b[2J", '"\\u001b[2J"'],
    ["DEL and C1 controls", "\x7f\x9b", '"\\u007f\\u009b"'],
    ["marks that reverse the text", "\u202eabc", '"\\u202eabc"'],
    ["a line separator", "\u2028", '"\\u2028"'],
    ["half a surrogate pair", "\ud800", '"\\ud800"'],
    ["characters outside the basic plane", "\u{e0041}", '"\\udb40\\udc41"'],
    ["letters of other scripts", "knöten", '"knöten"'],
    ["a number", 1.5, "1.5"],
    ["a large number", 2n ** 64n, "18446744073709551616"],
    ["a flag", true, "true"],
    ["nothing", null, "null"],
    ["a list", ["node-1", "node-2"], "node-1,node-2"],
    ["an empty list", [], '""'],
  ])("writes %s", (_what, value, expected) => {
    expect(textOf(value)).toBe(`${expected}\n`);
  });

  it("leaves out what is undefined", () => {
    expect(formatText({ ...record, facts: { leader: undefined } })).toMatch(/follower state\n$/);
  });

  it("cuts what would fill the disk, and says so", () => {
    const text = textOf("x".repeat(factMaxCharacters + 7));
    expect(text.length).toBeLessThan(factMaxCharacters + 100);
    expect(text).toContain("7 characters more");
  });

  it("tells an error with its causes, and the stack only of a bug", () => {
    const failure = new CodedError({ code: "DISK" }, "no space", { cause: new Error("ENOSPC") });
    expect(textOf(failure)).toBe('"no space: ENOSPC"\n');
    expect(textOf(new TypeError("oops"))).toMatch(/^oops stack="TypeError: oops\\n {4}at .*"\n$/);
  });
});

describe("JSON", () => {
  it("is time, level, component, message and facts, in this order", () => {
    expect(formatJson(record)).toBe(
      '{"time":"2026-01-02T03:04:05.678Z","level":"info","component":"raft",' +
        '"message":"entering follower state","leader":"node-1"}\n',
    );
  });

  it("has no component for the node itself", () => {
    expect(JSON.parse(formatJson({ ...record, component: "" }))).not.toHaveProperty("component");
  });

  it("keeps numbers and lists, and turns what JSON lacks into text", () => {
    const facts = { n: 1, big: 5n, list: ["a"], nothing: null, gone: undefined };
    expect(JSON.parse(formatJson({ ...record, facts }))).toMatchObject({
      n: 1,
      big: "5",
      list: ["a"],
      nothing: null,
    });
  });

  it("is one printable line whatever the values, which still read back as they were", () => {
    const hostile = "a\n\x1b[31m\u202e\u2028\x9b\u{e0041}";
    const line = formatJson({ ...record, facts: { hostile } });
    expect(line.trimEnd()).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(JSON.parse(line)).toHaveProperty("hostile", hostile);
  });
});
