/**
 * How inputs are built: where their parts lie, which bytes matter in them, how parts nest. All of it is a
 * guess that bears anything, for what is mutated once is mutated again.
 */

import { concatBytes, crc32c } from "../../src/base/bytes.ts";
import type { Dice } from "../simulation/dice.ts";
import { jsonWords, yamlWords } from "./words.ts";

export interface Shape {
  /** Where the parts of `input` begin and end, in pairs; of many only some. */
  readonly parts: (input: Uint8Array) => readonly number[];
  /** Bytes that mean something wherever they stand. */
  readonly words: readonly Uint8Array[];
  /** `part` inside so many others. */
  readonly nest: (part: Uint8Array, depth: number) => Uint8Array;
  /** A mutation of its own, which keeps an input whole that others would break. */
  readonly mutate?: (input: Uint8Array, dice: Dice) => Uint8Array;
  /** After a mutation: what would keep every mutant from being looked at. */
  readonly repair?: (input: Uint8Array) => Uint8Array;
}

export const partsMax = 512;

export function bytes(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

export function repeated(unit: Uint8Array, times: number, end: Uint8Array): Uint8Array {
  const all = new Uint8Array(unit.length * times + end.length);
  for (let at = 0; at < times; at++) all.set(unit, at * unit.length);
  all.set(end, unit.length * times);
  return all;
}

/** `skip`: bytes before the first value. */
export function msgpack(skip = 0): Shape {
  return {
    parts: (input) => msgpackParts(input, skip),
    words: [
      ...[0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xc0, 0xc1, 0xc2, 0xc3].map((tag) => bytes(tag)),
      ...[0xc4, 0xd9, 0xcc, 0xd0].map((tag) => bytes(tag, 0xff)),
      ...[0xc5, 0xda, 0xcd, 0xd1, 0xdc, 0xde].map((tag) => bytes(tag, 0xff, 0xff)),
      ...[0xc6, 0xdb, 0xce, 0xd2, 0xdd, 0xdf].map((tag) => bytes(tag, 0xff, 0xff, 0xff, 0xff)),
      ...[0xc6, 0xdb, 0xdd, 0xdf].map((tag) => bytes(tag, 0x01, 0x00, 0x00, 0x00)),
      bytes(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytes(0xcf, 0x00, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytes(0xcf, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00),
      bytes(0xd3, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00),
      bytes(0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytes(0xd6, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytes(0xd7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytes(0xc7, 0x0c, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0),
      bytes(0xc8, 0xff, 0xff, 0xff),
      bytes(0xc9, 0xff, 0xff, 0xff, 0xff, 0xff),
      bytes(0xca, 0x7f, 0xc0, 0x00, 0x00),
    ],
    nest: (part, depth) => repeated(bytes(0x91), depth, part),
  };
}

function msgpackParts(input: Uint8Array, skip: number): number[] {
  const parts: number[] = [];
  for (let at = skip; at < input.length && parts.length < partsMax; ) {
    const tag = input[at] ?? 0;
    const length = msgpackLength(input, at, tag);
    // Into a container, past anything else.
    parts.push(at, Math.min(input.length, at + length));
    at += isContainer(tag) ? 1 : length;
  }
  return parts;
}

function isContainer(tag: number): boolean {
  return (tag >= 0x80 && tag <= 0x9f) || (tag >= 0xdc && tag <= 0xdf);
}

function msgpackLength(input: Uint8Array, at: number, tag: number): number {
  const big = (size: number) => {
    let value = 0;
    for (let i = 1; i <= size; i++) value = value * 256 + (input[at + i] ?? 0);
    return 1 + size + value;
  };
  if (tag >= 0xa0 && tag <= 0xbf) return 1 + (tag & 0x1f);
  if (tag === 0xc4 || tag === 0xd9) return big(1);
  if (tag === 0xc5 || tag === 0xda) return big(2);
  if (tag === 0xc6 || tag === 0xdb) return big(4);
  if (tag >= 0xcc && tag <= 0xcf) return 1 + (1 << (tag - 0xcc));
  if (tag >= 0xd0 && tag <= 0xd3) return 1 + (1 << (tag - 0xd0));
  if (tag >= 0xd4 && tag <= 0xd8) return 2 + (1 << (tag - 0xd4));
  return 1;
}

const bigEndianWords: readonly Uint8Array[] = [
  bytes(0, 0, 0, 0),
  bytes(0, 0, 0, 1),
  bytes(0xff, 0xff, 0xff, 0xff),
  bytes(0xff, 0xff, 0xff, 0xfe),
  bytes(0x7f, 0xff, 0xff, 0xff),
  bytes(0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  bytes(0, 0x20, 0, 0, 0, 0, 0, 0),
  bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  bytes(0, 0, 0, 3, 0xef, 0xbb, 0xbf),
  bytes(0, 0, 0, 2, 0xc3, 0x28),
];

/** Lengths of four bytes, each before as many bytes: wherever four bytes could be one. */
function lengthPrefixedParts(input: Uint8Array): number[] {
  const parts: number[] = [];
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  for (let at = 0; at + 4 <= input.length && parts.length < partsMax; at++) {
    const end = at + 4 + view.getUint32(at);
    if (end <= input.length) parts.push(at, end);
  }
  return parts;
}

/** Another content of one such part, with its length. */
function mutateLengthPrefixed(input: Uint8Array, dice: Dice): Uint8Array {
  const parts = lengthPrefixedParts(input);
  if (parts.length === 0) return input;
  const nth = dice.integer(0, parts.length / 2 - 1) * 2;
  const [from = 0, to = 0] = parts.slice(nth, nth + 2);
  const content = changed(input.subarray(from + 4, to), dice);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, content.length);
  return concatBytes([input.subarray(0, from), length, content, input.subarray(to)]);
}

const contents: readonly Uint8Array[] = [
  new Uint8Array(),
  bytes(0),
  bytes(0xef, 0xbb, 0xbf),
  bytes(0xc3, 0x28),
  bytes(0xed, 0xa0, 0x80),
  new Uint8Array(255).fill(0x61),
  new Uint8Array(257).fill(0x61),
  new Uint8Array(1025).fill(0x61),
  new Uint8Array(4096).fill(0xff),
];

/** A content that some limit is about, or the old one and a little more or less. */
export function changed(content: Uint8Array, dice: Dice): Uint8Array {
  const at = dice.integer(0, content.length);
  switch (dice.integer(0, 3)) {
    case 0:
      return dice.pick(contents);
    case 1:
      return concatBytes([content.subarray(0, at), dice.pick(contents), content.subarray(at)]);
    case 2:
      return content.subarray(0, at);
    default:
      return concatBytes([content, content.subarray(at)]);
  }
}

export const lengthPrefixed: Shape = {
  parts: lengthPrefixedParts,
  words: bigEndianWords,
  mutate: mutateLengthPrefixed,
  nest: (part, depth) => repeated(bytes(0, 0, 0, 1), depth, part),
};

/** Records of the storage, whose checksum at `skip` is set right: what follows is what is to be tried. */
export function record(skip = 0): Shape {
  return {
    ...lengthPrefixed,
    repair: (input) => {
      const repaired = input.slice();
      if (repaired.length < skip + 4) return repaired;
      const checksum = crc32c(repaired.subarray(skip + 4));
      new DataView(repaired.buffer).setUint32(skip, checksum);
      return repaired;
    },
  };
}

const openers = new Map([
  [0x7b, 0x7d],
  [0x5b, 0x5d],
  [0x28, 0x29],
]);
const quote = 0x22;
const backslash = 0x5c;

/** Words, quoted texts, brackets with what is in them, lines. */
function textParts(input: Uint8Array): number[] {
  const parts: number[] = [];
  const open: { readonly at: number; readonly closer: number }[] = [];
  let lineAt = 0;
  for (let at = 0; at < input.length && parts.length < partsMax; at++) {
    const byte = input[at] ?? 0;
    const closer = openers.get(byte);
    if (closer !== undefined) open.push({ at, closer });
    else if (byte === open.at(-1)?.closer) parts.push(open.pop()?.at ?? at, at + 1);
    else if (byte === quote) {
      const begin = at;
      for (at++; at < input.length && input[at] !== quote; at++) if (input[at] === backslash) at++;
      parts.push(begin, Math.min(input.length, at + 1));
    } else if (byte === 0x0a) {
      parts.push(lineAt, at + 1);
      lineAt = at + 1;
    } else if (isWordByte(byte)) {
      const begin = at;
      while (at < input.length && isWordByte(input[at] ?? 0)) at++;
      parts.push(begin, at);
      at--;
    }
  }
  if (lineAt < input.length) parts.push(lineAt, input.length);
  return parts;
}

function isWordByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x5f ||
    byte >= 0x80
  );
}

const left = bytes(0x5b);

export const json: Shape = {
  parts: textParts,
  words: jsonWords,
  nest: (part, depth) => {
    const isClosed = part.length % 2 === 0;
    const nested = repeated(left, depth, part);
    if (!isClosed) return nested;
    const closed = new Uint8Array(nested.length + depth).fill(0x5d);
    closed.set(nested);
    return closed;
  },
};

export const yaml: Shape = { ...json, words: yamlWords };

export const text: Shape = { ...json, words: jsonWords };
