/**
 * One log record as one line, in text or JSON. Peers and clients choose some of the values, so no
 * value can end a line, move a cursor or reorder what an operator reads.
 */
import { describeError } from "../base/coded-error.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export type FactValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Error
  | readonly (string | number)[];

/** What a line is about. `undefined` is left out; the four fixed keys of a JSON line cannot be used. */
export interface Facts {
  readonly [fact: string]: FactValue;
  readonly time?: undefined;
  readonly level?: undefined;
  readonly component?: undefined;
  readonly message?: undefined;
}

export interface LogRecord {
  /** Unix time in milliseconds of when it happened. */
  readonly atMs: number;
  readonly level: LogLevel;
  /** Empty for the node itself. */
  readonly component: string;
  readonly sentence: string;
  readonly facts: Facts;
}

export type FormatRecord = (record: LogRecord) => string;

/** A value longer than this is cut, and says by how much: one line never fills a disk. */
export const factMaxCharacters = 4096;

const levelNames = { debug: "DBG", info: "INF", warn: "WRN", error: "ERR" } as const;

/** `2026-01-02T03:04:05.678Z INF raft: entering follower state leader=node-1` and a line feed. */
export function formatText(record: LogRecord): string {
  const prefix = record.component === "" ? "" : `${record.component}: `;
  let line = `${timestamp(record.atMs)} ${levelNames[record.level]} ${prefix}${record.sentence}`;
  for (const [fact, value] of plainFacts(record.facts)) {
    line += ` ${fact}=${textValue(value)}`;
  }
  return `${line}\n`;
}

/** `{"time":"...Z","level":"info","component":"raft","message":"...",...facts}` and a line feed. */
export function formatJson(record: LogRecord): string {
  const { component, sentence: message, level } = record;
  const line: Record<string, PlainValue> = {
    time: timestamp(record.atMs),
    level,
    ...(component === "" ? {} : { component }),
    message,
  };
  for (const [fact, value] of plainFacts(record.facts)) line[fact] = value;
  return `${escapeUnprintable(JSON.stringify(line))}\n`;
}

type PlainValue = string | number | boolean | null | readonly (string | number)[];

function* plainFacts(facts: Facts): Generator<[string, PlainValue]> {
  for (const [fact, value] of Object.entries(facts)) {
    if (value === undefined) continue;
    yield [fact, plainValue(value)];
    if (value instanceof Error && isBug(value)) yield ["stack", cut(value.stack ?? "")];
  }
}

function plainValue(value: Exclude<FactValue, undefined>): PlainValue {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string") return cut(value);
  if (value instanceof Error) return cut(describeError(value));
  return value;
}

/** Failures of the world carry a code and explain themselves; for anything else the stack is needed. */
function isBug(error: Error): boolean {
  return !("code" in error);
}

function textValue(value: PlainValue): string {
  const text = Array.isArray(value) ? value.join(",") : String(value);
  // Printable ASCII without space, quote, equals sign and backslash needs no quotes.
  if (/^[!#-<>-[\]-~]+$/.test(text)) return text;
  return escapeUnprintable(JSON.stringify(text));
}

/** Escapes what JSON leaves as it is and a terminal or a reader may not: C1 controls, bidi marks, line separators. */
function escapeUnprintable(json: string): string {
  return json.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}

function cut(text: string): string {
  if (text.length <= factMaxCharacters) return text;
  return `${text.slice(0, factMaxCharacters)}... ${text.length - factMaxCharacters} characters more`;
}

function timestamp(atMs: number): string {
  return new Date(atMs).toISOString();
}
