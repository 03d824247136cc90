/** What one setting is: its type, default and reason. `schema.ts` is the table of them. */

import { parseMultiaddr, parseSocketAddress } from "./address.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { fail, ok, type Parsed } from "./parsed.ts";
import { parsePeers, type RaftPeer, splitList } from "./peers.ts";
import { Secret } from "./secret.ts";

/** What a value's name in `NodeConfig` ends in. */
export type Unit = "" | "Ms" | "Bytes";

/** Whether a key does something here, or is only known because ev-node's files have it. */
export type Use = "used" | "ignored";

/** One key. Values come as text from everywhere, so that YAML, environment and flags mean the same. */
export interface Key<Value = unknown, U extends Unit = Unit, K extends Use = Use> {
  /** The type as `evm config default` shows it. */
  readonly type: string;
  /** The default as one would write it; empty for none. */
  readonly initial: string;
  /** Shown by `evm config default` where there is no default. */
  readonly example?: string;
  /** What it is, and why one would change it. */
  readonly about: string;
  readonly parse: (text: string) => Parsed<Value>;
  readonly unit: U;
  readonly use: K;
  /** Of an ignored key: what happens instead. Null if nothing is missing and no warning is due. */
  readonly instead: string | null;
  readonly isList: boolean;
  /** A file or directory: made absolute when loaded. */
  readonly isPath: boolean;
  readonly isSecret: boolean;
  /** That it is not set means something of its own: the sample file holds it commented out. */
  readonly isUnsetByDefault: boolean;
  /** Refused in evnode.yaml. */
  readonly isFlagOnly: boolean;
  /** Other names in YAML, and from there as flag and variable. */
  readonly aliases: readonly string[];
  /** Other environment variables, as ev-node's container image has them. */
  readonly variables: readonly string[];
}

export interface KeyOptions {
  readonly example?: string;
  readonly aliases?: readonly string[];
  readonly variables?: readonly string[];
  readonly isFlagOnly?: boolean;
  readonly isUnsetByDefault?: boolean;
}

function key<Value, U extends Unit>(
  fields: Pick<Key<Value, U>, "type" | "initial" | "about" | "parse" | "unit">,
  options: KeyOptions & { isList?: boolean; isPath?: boolean; isSecret?: boolean } = {},
): Key<Value, U, "used"> {
  return {
    use: "used",
    instead: null,
    isList: false,
    isPath: false,
    isSecret: false,
    isUnsetByDefault: fields.initial === "",
    isFlagOnly: false,
    aliases: [],
    variables: [],
    ...fields,
    ...options,
  };
}

/** A key of ev-node that is read and then not used. `instead`: what happens instead, after a colon. */
export function ignored<Value, U extends Unit>(
  known: Key<Value, U, "used">,
  instead: string | null,
): Key<Value, U, "ignored"> {
  return { ...known, use: "ignored", instead };
}

/** Go's `strconv.ParseBool`. */
export function bool(initial: boolean, about: string, options?: KeyOptions) {
  const parse = (text: string) => {
    if (/^(1|t|T|TRUE|true|True)$/.test(text)) return ok(true);
    if (/^(0|f|F|FALSE|false|False)$/.test(text)) return ok(false);
    return fail(`"${text}" is neither true nor false; write true or false`);
  };
  return key({ type: "bool", initial: String(initial), about, parse, unit: "" }, options);
}

export function text(initial: string, about: string, options?: KeyOptions) {
  return key({ type: "string", initial, about, parse: (value) => ok(value), unit: "" }, options);
}

/** Empty means not set. */
export function optionalText(about: string, options?: KeyOptions) {
  const parse = (value: string): Parsed<string | null> => ok(value === "" ? null : value);
  return key({ type: "string", initial: "", about, parse, unit: "" }, options);
}

export function path(initial: string, about: string, options?: KeyOptions) {
  return key(
    { type: "path", initial, about, parse: (value) => ok(value), unit: "" },
    { ...options, isPath: true },
  );
}

export function optionalPath(about: string, options?: KeyOptions) {
  const parse = (value: string): Parsed<string | null> => ok(value === "" ? null : value);
  return key({ type: "path", initial: "", about, parse, unit: "" }, { ...options, isPath: true });
}

export function secret(about: string, options?: KeyOptions) {
  const parse = (value: string): Parsed<Secret | null> =>
    ok(value === "" ? null : new Secret(value));
  return key(
    { type: "secret", initial: "", about, parse, unit: "" },
    { ...options, isSecret: true },
  );
}

/** `synonyms` are ev-node's words for the nearest choice. */
export function oneOf<const Choice extends string>(
  choices: readonly Choice[],
  initial: Choice,
  about: string,
  synonyms: Readonly<Record<string, Choice>> = {},
) {
  const meaning = new Map(Object.entries(synonyms));
  const parse = (value: string): Parsed<Choice> => {
    const synonym = meaning.get(value.toLowerCase());
    return synonym === undefined ? choose(choices)(value) : ok(synonym);
  };
  return key({ type: choices.join("|"), initial, about, parse, unit: "" });
}

/** Empty means not set. */
export function optionalOneOf<const Choice extends string>(
  choices: readonly Choice[],
  about: string,
  options?: KeyOptions,
) {
  const parse = (value: string): Parsed<Choice | null> =>
    value === "" ? ok(null) : choose(choices)(value);
  return key({ type: choices.join("|"), initial: "", about, parse, unit: "" }, options);
}

function choose<Choice extends string>(choices: readonly Choice[]) {
  return (value: string): Parsed<Choice> => {
    const chosen = choices.find((choice) => choice === value.toLowerCase());
    return chosen === undefined
      ? fail(`"${value}" is none of the choices; write ${choices.join(", ")}`)
      : ok(chosen);
  };
}

type WholeOptions = KeyOptions & { readonly min?: number; readonly max?: number };

/** A whole number; Go's prefixes 0x, 0o and 0b and underscores between digits are read. */
export function whole(
  initial: number,
  about: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER, ...options }: WholeOptions = {},
) {
  const parse = (value: string) => {
    if (!/^[+-]?(0|[1-9][\d_]*|0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+)$/.test(value)) {
      return fail(`"${value}" is no whole number; write digits, such as ${initial}`);
    }
    const unsigned = Number(value.replace(/^[+-]/, "").replaceAll("_", ""));
    const number = value.startsWith("-") && unsigned > 0 ? -unsigned : unsigned;
    if (number < min) return fail(`${value} is too small; write at least ${min}`);
    if (number > max) return fail(`${value} is too large; write at most ${max}`);
    return ok(number);
  };
  const type = min < 0 ? "int" : "uint";
  return key({ type, initial: String(initial), about, parse, unit: "" }, options);
}

export function fraction(initial: number, about: string) {
  const parse = (value: string) => {
    const number = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(value)
      ? Number(value)
      : Number.NaN;
    return number >= 0 && number <= 1
      ? ok(number)
      : fail(`"${value}" is no share; write a number from 0 to 1, such as ${initial}`);
  };
  return key({ type: "float", initial: String(initial), about, parse, unit: "" });
}

type DurationOptions = KeyOptions & { readonly minMs?: number; readonly maxMs?: number };

/** Go syntax; the value is in milliseconds. Bounds that hang on other settings are rules. */
export function duration(
  initial: string,
  about: string,
  {
    minMs = Number.NEGATIVE_INFINITY,
    maxMs = Number.POSITIVE_INFINITY,
    ...options
  }: DurationOptions = {},
) {
  const parse = (value: string): Parsed<number> => {
    const parsed = parseDuration(value);
    if (!parsed.ok) return parsed;
    if (parsed.value < minMs) {
      return fail(`"${value}" is too short; write at least ${formatDuration(minMs)}`);
    }
    if (parsed.value > maxMs) {
      return fail(`"${value}" is too long; write at most ${formatDuration(maxMs)}`);
    }
    return parsed;
  };
  return key({ type: "duration", initial, about, parse, unit: "Ms" }, options);
}

/** Empty means not set. */
export function optionalDuration(about: string, options?: KeyOptions) {
  const parse = (value: string): Parsed<number | null> =>
    value === "" ? ok(null) : parseDuration(value);
  return key({ type: "duration", initial: "", about, parse, unit: "Ms" }, options);
}

const bytesPerUnit: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["tb", 1e12],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
  ["tib", 2 ** 40],
]);

/** A number of bytes, plain or as `64MiB` or `10MB`; the value is in bytes. */
export function size(initial: string, about: string) {
  const parse = (value: string) => {
    const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(value);
    const unitBytes = bytesPerUnit.get((match?.[2] ?? "?").toLowerCase());
    if (match === null || unitBytes === undefined) {
      return fail(`"${value}" is no size; write a number of bytes, or one with a unit: ${initial}`);
    }
    const bytes = Number(match[1]) * unitBytes;
    return Number.isSafeInteger(bytes)
      ? ok(bytes)
      : fail(`"${value}" is no whole number of bytes below 8 PiB; write less, such as ${initial}`);
  };
  return key({ type: "size", initial, about, parse, unit: "Bytes" });
}

/** `host:port` or `:port`, kept as it was written; empty only where that is the default. */
export function listenAddress(initial: string, about: string, options?: KeyOptions) {
  const parse = (value: string): Parsed<string> => {
    if (value === initial) return ok(value);
    const socket = parseSocketAddress(value);
    return socket.ok ? ok(value) : socket;
  };
  return key({ type: "host:port", initial, about, parse, unit: "" }, options);
}

/** `host:port`; empty means not set. */
export function optionalAddress(about: string, options?: KeyOptions) {
  const parse = (value: string): Parsed<string | null> => {
    if (value === "") return ok(null);
    const socket = parseSocketAddress(value);
    return socket.ok ? ok(value) : socket;
  };
  return key({ type: "host:port", initial: "", about, parse, unit: "" }, options);
}

export function multiaddr(initial: string, about: string) {
  const parse = (value: string) => parseMultiaddr(value, { peerId: "none" });
  return key({ type: "multiaddr", initial, about, parse, unit: "" });
}

/** Comma-separated, or a YAML list. */
export function list(about: string, options?: KeyOptions) {
  const parse = (value: string): Parsed<readonly string[]> => ok(splitList(value));
  return key({ type: "list", initial: "", about, parse, unit: "" }, { ...options, isList: true });
}

export function raftPeers(about: string, options?: KeyOptions) {
  const parse = (value: string): Parsed<readonly RaftPeer[]> => parsePeers(value);
  return key(
    { type: "list of nodeID@host:port", initial: "", about, parse, unit: "" },
    { ...options, isList: true },
  );
}
