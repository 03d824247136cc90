/**
 * Writes the dialect of go-msgpack that hashicorp/raft puts on the wire: the *raw* family of the old
 * msgpack specification for text and bytes alike, unsigned and signed integers each in codes of their
 * own, and always the shortest.
 */

import { assert } from "../base/assert.ts";

/** A payload from here on is passed on by reference, as a chunk of its own; a smaller one is copied. */
const referenceMinBytes = 4 * 1024;
const slabSizeBytes = 64 * 1024;

/** Integers are numbers while that is exact; beyond 2^53 - 1 they are bigints. */
export type WireInteger = number | bigint;

const two32 = 2 ** 32;

/**
 * Messages are cut from slabs that are never written twice, so what `finish` returned stays as it
 * is while a socket sends it.
 */
export class MsgpackWriter {
  #slab: Uint8Array = Buffer.allocUnsafeSlow(slabSizeBytes);
  #start = 0;
  #at = 0;
  #chunks: Uint8Array[] = [];

  /** The bytes written since the last call, in order. */
  finish(): Uint8Array[] {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  /** Bytes that are encoded already. */
  verbatim(bytes: Uint8Array): void {
    if (bytes.length >= referenceMinBytes) {
      this.#cut();
      this.#chunks.push(bytes);
      return;
    }
    this.#reserve(bytes.length);
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#slab[this.#at++] = value;
  }

  nil(): void {
    this.byte(0xc0);
  }

  bool(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  /** `map` of up to 15 pairs: more than any structure here has. */
  map(pairs: number): void {
    assert(pairs <= 15, "a structure has at most 15 keys", { pairs });
    this.byte(0x80 | pairs);
  }

  array(length: number): void {
    if (length <= 15) this.byte(0x90 | length);
    else if (length <= 0xffff) this.#tagged(0xdc, length, 2);
    else this.#tagged(0xdd, length, 4);
  }

  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    if (length <= 31) this.byte(0xa0 | length);
    else if (length <= 0xffff) this.#tagged(0xda, length, 2);
    else this.#tagged(0xdb, length, 4);
    this.verbatim(bytes);
  }

  /** Go's uint64 and uint8. */
  uint(value: WireInteger): void {
    assert(value >= 0 && isWhole(value), "an unsigned field is a whole number", { value });
    if (value <= 0x7f) this.byte(Number(value));
    else if (value <= 0xff) this.#tagged(0xcc, Number(value), 1);
    else if (value <= 0xffff) this.#tagged(0xcd, Number(value), 2);
    else if (value < two32) this.#tagged(0xce, Number(value), 4);
    else this.#tagged64(0xcf, value);
  }

  /** Go's int and int64. */
  int(value: WireInteger): void {
    assert(isWhole(value), "a signed field is a whole number", { value });
    if (value >= -32 && value <= 0x7f) this.byte(Number(value) & 0xff);
    else if (value >= -0x80 && value < 0) this.#tagged(0xd0, Number(value) & 0xff, 1);
    else if (value >= -0x8000 && value <= 0x7fff) this.#tagged(0xd1, Number(value) & 0xffff, 2);
    else if (value >= -0x80000000 && value <= 0x7fffffff) {
      this.#tagged(0xd2, Number(value) >>> 0, 4);
    } else this.#tagged64(0xd3, value);
  }

  #tagged(tag: number, value: number, size: number): void {
    this.#reserve(1 + size);
    this.#slab[this.#at++] = tag;
    for (let shift = (size - 1) * 8; shift >= 0; shift -= 8) {
      this.#slab[this.#at++] = value >>> shift;
    }
  }

  #tagged64(tag: number, value: WireInteger): void {
    const bits = BigInt.asUintN(64, BigInt(value));
    this.#tagged(tag, Number(bits >> 32n), 4);
    this.#reserve(4);
    const low = Number(bits & 0xffffffffn);
    for (let shift = 24; shift >= 0; shift -= 8) this.#slab[this.#at++] = low >>> shift;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#slab.length) return;
    this.#cut();
    this.#slab = Buffer.allocUnsafeSlow(slabSizeBytes);
    this.#start = 0;
    this.#at = 0;
  }

  #cut(): void {
    if (this.#at === this.#start) return;
    this.#chunks.push(this.#slab.subarray(this.#start, this.#at));
    this.#start = this.#at;
  }
}

function isWhole(value: WireInteger): boolean {
  return typeof value === "bigint" || Number.isSafeInteger(value);
}
