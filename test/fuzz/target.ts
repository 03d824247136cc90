/** What is fuzzed: a decoder, inputs that it takes, and what may come out of it. */

import { isDeepStrictEqual } from "node:util";
import { equalBytes } from "../../src/base/bytes.ts";
import type { Shape } from "./shapes.ts";

/** Of an input that the decoder deals with rightly. */
export type Outcome = "taken" | "refused";

export interface Target {
  readonly name: string;
  /** How its inputs are built, so that mutations hit what they are made of. */
  readonly shape: Shape;
  /** Inputs that it takes. */
  readonly seeds: readonly Uint8Array[];
  /** Inputs that it refuses, where that takes longer than to take one. */
  readonly refused?: readonly Uint8Array[];
  /** What mutations insert, besides the words of the shape. */
  readonly words?: readonly Uint8Array[];
  /** Of a campaign's inputs it gets so many parts; 1 unless told. Slow decoders take less. */
  readonly share?: number;
  /** What one input may allocate, beside a share for each of its bytes. */
  readonly allocationMaxBytes?: number;
  /** Throws if the decoder does anything but take `input` or refuse it with its own error. */
  readonly check: (input: Uint8Array) => Outcome | Promise<Outcome>;
}

/** What is wrong, where the decoder itself throws nothing. */
export class Defect extends Error {
  override readonly name = "Defect";
}

export interface Codec<Value> {
  readonly decode: (input: Uint8Array) => Value;
  /** Whether the decoder may throw this. */
  readonly isRefusal: (error: unknown) => boolean;
  /** Null where nothing writes what this reads. */
  readonly encode: ((value: Value) => Uint8Array) | null;
  /** There is one encoding of a value: what is taken is what would be written. */
  readonly isCanonical?: boolean;
  /** What users of the value rely on. Throws a {@link Defect}, or what breaks. */
  readonly use?: (value: Value) => void;
}

/** What decodes must encode, and then decode to the same value; see {@link Codec}. */
export function checkCodec<Value>(codec: Codec<Value>): (input: Uint8Array) => Outcome {
  const { decode, isRefusal, encode, isCanonical = false, use } = codec;
  return (input) => {
    let value: Value;
    try {
      value = decode(input);
    } catch (error) {
      if (isRefusal(error)) return "refused";
      throw error;
    }
    use?.(value);
    if (encode === null) return "taken";
    const encoded = encode(value);
    if (isCanonical) {
      if (!equalBytes(encoded, input)) throw new Defect("is taken, though it is written otherwise");
      return "taken";
    }
    const again = decode(encoded);
    if (!isDeepStrictEqual(again, value)) throw new Defect("changes when it is written and read");
    if (!equalBytes(encode(again), encoded)) throw new Defect("is written in two ways");
    return "taken";
  };
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** What a reader of files makes of bytes: what is no UTF-8 becomes replacement characters. */
export function textOf(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** For decoders that answer null to what they refuse. */
export function outcomeOf(value: unknown): Outcome {
  return value === null ? "refused" : "taken";
}

/** Throws a {@link Defect} unless `isTrue`. */
export function expectThat(isTrue: boolean, problem: string): void {
  if (!isTrue) throw new Defect(problem);
}
