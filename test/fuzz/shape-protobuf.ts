/** How protobuf is built: fields of a tag and a value, and in some of them fields again. */

import { concatBytes, emptyBytes } from "../../src/base/bytes.ts";
import type { Dice } from "../simulation/dice.ts";
import { bytes, changed, partsMax, repeated, type Shape } from "./shapes.ts";

export const protobuf: Shape = {
  mutate: (input, dice) => mutateFields(input, 0, input.length, dice),
  parts: (input) => {
    const parts: number[] = [];
    protobufParts(input, 0, input.length, parts, 0);
    return parts;
  },
  words: [
    ...[0x00, 0x07, 0x0b, 0x0c, 0x13, 0x78, 0x7a, 0xf8].map((tag) => bytes(tag)),
    bytes(0xff, 0xff, 0xff, 0xff, 0x0f),
    bytes(0xff, 0xff, 0xff, 0xff, 0x07),
    bytes(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
    bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
    bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f),
    bytes(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10),
    bytes(0x0a, 0x00),
    bytes(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f),
    bytes(0xef, 0xbb, 0xbf),
    bytes(0xed, 0xa0, 0x80),
    bytes(0xfa, 0xff, 0xff, 0xff, 0x0f, 0x00),
  ],
  nest: (part, depth) => {
    if (part.length % 2 === 1) return repeated(bytes(0x0b), depth, part); // groups
    let nested = part;
    for (let at = 0; at < Math.min(depth, 200); at++) {
      nested = Uint8Array.from([0x0a, ...varint(nested.length), ...nested]);
    }
    return nested;
  },
};

function varint(value: number): number[] {
  const digits: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) digits.push((rest & 0x7f) | 0x80);
  return [...digits, rest];
}

function protobufParts(
  input: Uint8Array,
  from: number,
  to: number,
  parts: number[],
  depth: number,
): void {
  for (let at = from; at < to && parts.length < partsMax; ) {
    const begin = at;
    const wireType = (input[at] ?? 0) & 7;
    at = varintEnd(input, at, to);
    if (wireType === 0) at = varintEnd(input, at, to);
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const bodyAt = varintEnd(input, at, to);
      at = Math.min(to, bodyAt + varintAt(input, at, bodyAt));
      if (depth < 4 && at - bodyAt > 2) protobufParts(input, bodyAt, at, parts, depth + 1);
    }
    parts.push(begin, Math.min(at, to));
  }
}

function varintEnd(input: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && (input[at] ?? 0) >= 0x80) at++;
  return Math.min(to, at + 1);
}

interface Field {
  readonly from: number;
  /** Behind the tag; of a field with a length, where its content begins. */
  readonly bodyAt: number;
  readonly to: number;
  readonly wireType: number;
}

/** What lies between `from` and `to`, one field of it changed, and all lengths around it right. */
function mutateFields(input: Uint8Array, from: number, to: number, dice: Dice): Uint8Array {
  const field = dice.pickOrNull(fieldsOf(input, from, to));
  if (field === null) return input.subarray(from, to);
  return concatBytes([
    input.subarray(from, field.from),
    mutateField(input, field, dice),
    input.subarray(field.to, to),
  ]);
}

function mutateField(input: Uint8Array, field: Field, dice: Dice): Uint8Array {
  const whole = input.subarray(field.from, field.to);
  const body = input.subarray(field.bodyAt, field.to);
  const tag = input.subarray(field.from, varintEnd(input, field.from, field.to));
  switch (dice.integer(0, 5)) {
    case 0:
      return emptyBytes;
    case 1:
      return concatBytes([whole, whole]);
    case 2:
      // Another field of the same kind.
      return concatBytes([
        bytes((dice.integer(1, 15) << 3) | field.wireType),
        whole.subarray(tag.length),
      ]);
    default:
      if (field.wireType === 0) return concatBytes([tag, dice.pick(varintsAtLimits)]);
      if (field.wireType !== 2) return concatBytes([tag, changed(body, dice)]);
      return framed(tag, changedContent(input, field, dice));
  }
}

function changedContent(input: Uint8Array, { bodyAt, to }: Field, dice: Dice): Uint8Array {
  const isMessage = fieldsOf(input, bodyAt, to).length > 0;
  if (isMessage && dice.chance(0.7)) return mutateFields(input, bodyAt, to, dice);
  return changed(input.subarray(bodyAt, to), dice);
}

function framed(tag: Uint8Array, content: Uint8Array): Uint8Array {
  return concatBytes([tag, Uint8Array.from(varint(content.length)), content]);
}

/** Empty unless the fields end where they should. */
function fieldsOf(input: Uint8Array, from: number, to: number): readonly Field[] {
  const fields: Field[] = [];
  for (let at = from; at < to; ) {
    if (fields.length >= partsMax) return fields;
    const wireType = (input[at] ?? 0) & 7;
    const valueAt = varintEnd(input, at, to);
    const isLong = wireType === 2;
    const bodyAt = isLong ? varintEnd(input, valueAt, to) : valueAt;
    const end = isLong
      ? bodyAt + varintAt(input, valueAt, bodyAt)
      : endOf(input, wireType, valueAt, to);
    if (end === null || end > to) return [];
    fields.push({ from: at, bodyAt, to: end, wireType });
    at = end;
  }
  return fields;
}

function endOf(input: Uint8Array, wireType: number, at: number, to: number): number | null {
  if (wireType === 0) return at < to ? varintEnd(input, at, to) : null;
  if (wireType === 1) return at + 8;
  return wireType === 5 ? at + 4 : null;
}

function varintAt(input: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = to - 1; at >= from; at--) value = value * 128 + ((input[at] ?? 0) & 0x7f);
  return value;
}

const varintsAtLimits: readonly Uint8Array[] = [
  bytes(0),
  bytes(1),
  bytes(0x7f),
  bytes(0xff, 0xff, 0xff, 0xff, 0x07),
  bytes(0xff, 0xff, 0xff, 0xff, 0x0f),
  bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f),
  bytes(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10),
  bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
  bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
  bytes(0x80, 0x00),
];
