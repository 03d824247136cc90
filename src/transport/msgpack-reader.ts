/**
 * Reads what go-msgpack accepts: any width of an integer, the raw, str and bin families alike.
 * The bytes are a complete frame; whatever does not fit throws a bad-frame error. Byte strings come as views of the frame, not as copies.
 */

import { badFrame } from "./errors.ts";
import { ValueScanner } from "./msgpack-scanner.ts";
import type { WireInteger } from "./msgpack-writer.ts";

const two32 = 2 ** 32;

export class MsgpackReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #skipper: ValueScanner | null = null;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#at = 0;
  }

  /** Consumes a nil if one is next. */
  takeNil(): boolean {
    if (this.#bytes[this.#at] !== 0xc0) return false;
    this.#at++;
    return true;
  }

  /** The tag of the next value, which stays unread. */
  peek(): number {
    const tag = this.#bytes[this.#at];
    if (tag === undefined) throw badFrame("a value is missing");
    return tag;
  }

  /** One value of any kind and nesting, unread. */
  skip(): void {
    this.#skipper ??= new ValueScanner(this.#bytes.length);
    this.#skipper.begin(1);
    const end = this.#skipper.feed(this.#bytes, this.#at);
    if (end === -1) throw badFrame("a value is cut short");
    this.#at = end;
  }

  bool(): boolean {
    const tag = this.#tag();
    if (tag === 0xc3 || tag === 0x01) return true;
    if (tag === 0xc2 || tag === 0x00) return false;
    throw unexpected("a boolean", tag);
  }

  uint(): WireInteger {
    const value = this.int();
    if (value < 0) throw badFrame(`negative number ${value} in an unsigned field`);
    return value;
  }

  /** A 64-bit integer, signed or not; a field that is narrower checks for itself. */
  int(): WireInteger {
    const tag = this.#tag();
    if (tag <= 0x7f) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xcf:
        return join(this.#unsigned(4), this.#unsigned(4));
      case 0xd0:
        return (this.#unsigned(1) << 24) >> 24;
      case 0xd1:
        return (this.#unsigned(2) << 16) >> 16;
      case 0xd2:
        return this.#unsigned(4) | 0;
      case 0xd3:
        return join(this.#unsigned(4) | 0, this.#unsigned(4));
      default:
        throw unexpected("an integer", tag);
    }
  }

  /** Bytes behind any raw, str or bin header. */
  raw(): Uint8Array {
    return this.#take(this.rawLength());
  }

  /** Only the header of a raw, str or bin; its bytes are next. */
  rawLength(): number {
    const tag = this.#tag();
    if (tag >= 0xa0 && tag <= 0xbf) return tag & 0x1f;
    switch (tag) {
      case 0xc4:
      case 0xd9:
        return this.#unsigned(1);
      case 0xc5:
      case 0xda:
        return this.#unsigned(2);
      case 0xc6:
      case 0xdb:
        return this.#unsigned(4);
      default:
        throw unexpected("bytes", tag);
    }
  }

  /** Whether the next `length` bytes are `expected`; read if they are. */
  takeExactly(expected: Uint8Array, length: number): boolean {
    if (expected.length !== length || this.#at + length > this.#bytes.length) return false;
    for (let i = 0; i < length; i++) {
      if (this.#bytes[this.#at + i] !== expected[i]) return false;
    }
    this.#at += length;
    return true;
  }

  skipBytes(length: number): void {
    this.#take(length);
  }

  isMap(): boolean {
    const tag = this.peek();
    return (tag >= 0x80 && tag <= 0x8f) || tag === 0xde || tag === 0xdf;
  }

  isArray(): boolean {
    const tag = this.peek();
    return (tag >= 0x90 && tag <= 0x9f) || tag === 0xdc || tag === 0xdd;
  }

  /** Pairs of a map, or items of an array: the header that `isMap` or `isArray` has seen. */
  containerLength(): number {
    const length = this.#containerLength();
    // Each item takes a byte at least, so nobody allocates for items that cannot be there.
    if (length > this.#bytes.length - this.#at) throw badFrame(`${length} items in too few bytes`);
    return length;
  }

  #containerLength(): number {
    const tag = this.#tag();
    if (tag >= 0x80 && tag <= 0x9f) return tag & 0x0f;
    if (tag === 0xdc || tag === 0xde) return this.#unsigned(2);
    if (tag === 0xdd || tag === 0xdf) return this.#unsigned(4);
    throw unexpected("a map or an array", tag);
  }

  /** An ext value of type -1 (timestamp): its payload. */
  timestampExt(): Uint8Array {
    const tag = this.#tag();
    const length =
      tag === 0xd6 ? 4 : tag === 0xd7 ? 8 : tag === 0xc7 ? this.#unsigned(1) : undefined;
    if (length === undefined) throw unexpected("a time", tag);
    const type = this.#unsigned(1);
    if (type !== 0xff) throw badFrame(`ext type ${type} is no time`);
    return this.#take(length);
  }

  #tag(): number {
    const tag = this.peek();
    this.#at++;
    return tag;
  }

  #unsigned(size: number): number {
    if (this.#at + size > this.#bytes.length) throw badFrame("a number is cut short");
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + (this.#bytes[this.#at++] ?? 0);
    return value;
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw badFrame("bytes are cut short");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

function join(high: number, low: number): WireInteger {
  const value = high * two32 + low;
  return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) | BigInt(low);
}

function unexpected(what: string, tag: number): Error {
  return badFrame(`expected ${what}, got msgpack tag 0x${tag.toString(16).padStart(2, "0")}`);
}
