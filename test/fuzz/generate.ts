/** Input number n of a decoder and a seed: always the same, whatever ran before. */

import { concatBytes, emptyBytes } from "../../src/base/bytes.ts";
import { Dice } from "../simulation/dice.ts";
import type { Target } from "./target.ts";

const sizeMaxBytes = 8 * 1024;
/** Of an input that is made large on purpose. */
const largeMaxBytes = 64 * 1024;
const nestingMax = 20_000;

/** One of so many inputs is... */
const rarity = { untouched: 50, noise: 100, nested: 100, large: 500 };

export function inputOf(target: Target, seed: number, number: number): Uint8Array {
  const dice = new Dice(mixed(seed, number)).fork(target.name);
  const [untouched, noise, nested, large] = [
    rarity.untouched,
    rarity.noise,
    rarity.nested,
    rarity.large,
  ].map((one) => dice.integer(1, one) === 1);
  const base = dice.pick(target.seeds);
  if (untouched) return base.slice();
  if (noise) return randomBytes(dice, dice.integer(0, 64));
  let input: Uint8Array = base;
  const mutations = Math.min(dice.integer(1, 8), dice.integer(1, 8));
  for (let nth = 0; nth < mutations; nth++) input = mutate(input, target, dice);
  if (nested) input = deepened(input, target, dice);
  if (large) input = enlarged(input, target, dice);
  const bounded = input.subarray(0, nested || large ? largeMaxBytes : sizeMaxBytes);
  return target.shape.repair?.(bounded) ?? bounded.slice();
}

function mixed(seed: number, number: number): number {
  return (Math.imul(seed ^ 0x5bd1e995, 0x85ebca6b) ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0;
}

type Mutation = (input: Uint8Array, target: Target, dice: Dice) => Uint8Array;

function mutate(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const own = target.shape.mutate;
  if (own !== undefined && dice.chance(0.4)) return own(input, dice);
  return dice.pick(mutations)(input, target, dice);
}

const mutations: readonly Mutation[] = [
  flipBit,
  flipBit,
  setByte,
  setInteger,
  setInteger,
  addToInteger,
  insertWord,
  insertWord,
  overwriteWithWord,
  truncate,
  remove,
  removePart,
  removePart,
  repeatPart,
  swapParts,
  takeForeignPart,
  takeForeignPart,
  splice,
];

function flipBit(input: Uint8Array, _target: Target, dice: Dice): Uint8Array {
  if (input.length === 0) return input;
  const mutant = input.slice();
  const at = dice.integer(0, input.length - 1);
  mutant[at] = (mutant[at] ?? 0) ^ (1 << dice.integer(0, 7));
  return mutant;
}

const bytesAtLimits = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xfe, 0xff];

function setByte(input: Uint8Array, _target: Target, dice: Dice): Uint8Array {
  if (input.length === 0) return input;
  const mutant = input.slice();
  const value = dice.chance(0.5) ? dice.pick(bytesAtLimits) : dice.integer(0, 255);
  mutant[dice.integer(0, input.length - 1)] = value;
  return mutant;
}

const integersAtLimits: readonly bigint[] = [
  0n,
  1n,
  -1n,
  ...[7n, 8n, 15n, 16n, 31n, 32n, 53n, 63n].flatMap((bits) => [
    2n ** bits - 1n,
    2n ** bits,
    -(2n ** bits),
  ]),
];

/** An integer of any width, in either order of bytes, becomes one at a limit. */
function setInteger(input: Uint8Array, _target: Target, dice: Dice): Uint8Array {
  return changeInteger(input, dice, () => dice.pick(integersAtLimits));
}

function addToInteger(input: Uint8Array, _target: Target, dice: Dice): Uint8Array {
  return changeInteger(input, dice, (value) => value + BigInt(dice.integer(-16, 16)));
}

function changeInteger(
  input: Uint8Array,
  dice: Dice,
  change: (value: bigint) => bigint,
): Uint8Array {
  const width = dice.pick([1, 2, 4, 8]);
  if (input.length < width) return input;
  const mutant = input.slice();
  const from = dice.integer(0, input.length - width);
  const isLittleEndian = dice.chance(0.3);
  const placeOf = (nth: number) => from + (isLittleEndian ? width - 1 - nth : nth);
  let value = 0n;
  for (let nth = 0; nth < width; nth++) value = value * 256n + BigInt(mutant[placeOf(nth)] ?? 0);
  let rest = BigInt.asUintN(width * 8, change(value));
  for (let nth = width - 1; nth >= 0; nth--, rest >>= 8n)
    mutant[placeOf(nth)] = Number(rest & 255n);
  return mutant;
}

function wordOf({ shape, words = [] }: Target, dice: Dice): Uint8Array {
  if (words.length > 0 && dice.chance(0.4)) return dice.pick(words);
  return dice.pick(shape.words);
}

function insertWord(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const at = placeIn(input, target, dice);
  return concatBytes([input.subarray(0, at), wordOf(target, dice), input.subarray(at)]);
}

function overwriteWithWord(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const { from, to } = partOf(input, target, dice);
  return replaced(input, from, to, wordOf(target, dice));
}

function truncate(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  return input.subarray(0, placeIn(input, target, dice));
}

function remove(input: Uint8Array, _target: Target, dice: Dice): Uint8Array {
  if (input.length === 0) return input;
  const from = dice.integer(0, input.length - 1);
  const to = Math.min(input.length, from + Math.ceil(dice.magnitude(1, 64)));
  return replaced(input, from, to, emptyBytes);
}

function removePart(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const { from, to } = partOf(input, target, dice);
  return replaced(input, from, to, emptyBytes);
}

function repeatPart(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const { from, to } = partOf(input, target, dice);
  const times = Math.ceil(dice.magnitude(1, 20));
  const part = input.subarray(from, Math.min(to, from + 512));
  const copies = Array.from({ length: times }, () => part);
  return replaced(input, to, to, concatBytes(copies));
}

function swapParts(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const [one, other] = [partOf(input, target, dice), partOf(input, target, dice)];
  const [first, second] = one.from <= other.from ? [one, other] : [other, one];
  if (first.to > second.from) return input;
  return concatBytes([
    input.subarray(0, first.from),
    input.subarray(second.from, second.to),
    input.subarray(first.to, second.from),
    input.subarray(first.from, first.to),
    input.subarray(second.to),
  ]);
}

function takeForeignPart(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const other = dice.pick(target.seeds);
  const foreign = partOf(other, target, dice);
  const { from, to } = partOf(input, target, dice);
  const isInserted = dice.chance(0.5);
  const part = other.subarray(foreign.from, foreign.to);
  return replaced(input, isInserted ? to : from, to, part);
}

/** The beginning of one input and the end of another. */
function splice(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const other = dice.pick(target.seeds);
  return concatBytes([
    input.subarray(0, placeIn(input, target, dice)),
    other.subarray(placeIn(other, target, dice)),
  ]);
}

function deepened(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const { from, to } = partOf(input, target, dice);
  const depth = dice.chance(0.3) ? nestingMax : Math.floor(dice.magnitude(1, nestingMax));
  return replaced(input, from, to, target.shape.nest(input.subarray(from, to), depth));
}

function enlarged(input: Uint8Array, target: Target, dice: Dice): Uint8Array {
  const { from, to } = partOf(input, target, dice);
  if (from === to) return input;
  const room = Math.floor(dice.magnitude(sizeMaxBytes, largeMaxBytes));
  const copies = Array.from({ length: Math.ceil(room / (to - from)) }, () =>
    input.subarray(from, to),
  );
  return replaced(input, to, to, concatBytes(copies));
}

function replaced(input: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
  const mutant = new Uint8Array(from + by.length + input.length - to);
  mutant.set(input.subarray(0, from));
  mutant.set(by, from);
  mutant.set(input.subarray(to), from + by.length);
  return mutant;
}

function partOf(
  input: Uint8Array,
  target: Target,
  dice: Dice,
): { readonly from: number; readonly to: number } {
  const parts = partsOf(input, target);
  if (parts.length === 0 || dice.chance(0.1)) {
    const from = dice.integer(0, input.length);
    return { from, to: dice.integer(from, input.length) };
  }
  const nth = dice.integer(0, parts.length / 2 - 1) * 2;
  return { from: parts[nth] ?? 0, to: parts[nth + 1] ?? 0 };
}

/** Those of the seeds, which are asked for again and again. */
const seedParts = new Map<Uint8Array, readonly number[]>();

function partsOf(input: Uint8Array, { shape, seeds }: Target): readonly number[] {
  const known = seedParts.get(input);
  if (known !== undefined) return known;
  const parts = shape.parts(input);
  if (seeds.includes(input)) seedParts.set(input, parts);
  return parts;
}

/** Often where a part begins or ends. */
function placeIn(input: Uint8Array, target: Target, dice: Dice): number {
  if (dice.chance(0.3)) return dice.integer(0, input.length);
  const parts = partsOf(input, target);
  return parts.length === 0 ? 0 : dice.pick(parts);
}

function randomBytes(dice: Dice, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => dice.integer(0, 255));
}
