/**
 * Where a msgpack value ends, found while its bytes trickle in. It looks at each tag once and jumps
 * over payloads, so a frame in a thousand pieces costs no more than one in a single piece. Sizes
 * are checked when announced, before anything is received or allocated for them.
 */

import { badFrame } from "./errors.ts";
import { nestingMax } from "./limits.ts";

/** How many bytes of big-endian length follow a tag. */
const lengthSize = new Uint8Array(256);
/** What the tag itself says: bytes of payload, or items of a container; the length adds to it. */
const inlineSize = new Uint8Array(256);
/** Values in each item: 1 in an array, 2 in a map, 0 where the items are plain bytes. */
const valuesPerItem = new Uint8Array(256);

const reservedTag = 0xc1;

for (let n = 0; n < 16; n++) {
  describe(0x80 + n, 0, n, 2);
  describe(0x90 + n, 0, n, 1);
}
for (let n = 0; n < 32; n++) describe(0xa0 + n, 0, n, 0);
for (const [at, size] of [1, 2, 4].entries()) {
  describe(0xc4 + at, size, 0, 0); // bin
  describe(0xc7 + at, size, 1, 0); // ext: a type byte, then the payload
  describe(0xd9 + at, size, 0, 0); // str
}
describe(0xca, 0, 4, 0);
describe(0xcb, 0, 8, 0);
for (const [at, size] of [1, 2, 4, 8].entries()) {
  describe(0xcc + at, 0, size, 0); // uint
  describe(0xd0 + at, 0, size, 0); // int
}
for (const [at, size] of [1, 2, 4, 8, 16].entries()) describe(0xd4 + at, 0, 1 + size, 0); // fixext
for (const [at, size] of [2, 4].entries()) {
  describe(0xdc + at, size, 0, 1);
  describe(0xde + at, size, 0, 2);
}

function describe(tag: number, length: number, inline: number, perItem: number): void {
  lengthSize[tag] = length;
  inlineSize[tag] = inline;
  valuesPerItem[tag] = perItem;
}

export class ValueScanner {
  readonly #sizeMaxBytes: number;
  /** Values still to come at this level, and at each level around it. */
  #values = 0;
  readonly #outer: number[] = [];
  /** Bytes seen or announced since `begin`. */
  #sizeBytes = 0;
  #payloadLeft = 0;
  #lengthLeft = 0;
  #length = 0;
  #tag = 0;

  constructor(sizeMaxBytes: number) {
    this.#sizeMaxBytes = sizeMaxBytes;
  }

  /** Starts over, before `values` consecutive values. */
  begin(values: number): void {
    this.#values = values;
    this.#outer.length = 0;
    this.#sizeBytes = 0;
    this.#payloadLeft = 0;
    this.#lengthLeft = 0;
  }

  /**
   * Continues at `bytes[from]`. Returns where the values end, or -1 if they go on beyond `bytes`.
   * Throws a bad-frame error on what is no msgpack or larger than the limit.
   */
  feed(bytes: Uint8Array, from: number): number {
    let at = from;
    for (;;) {
      if (this.#payloadLeft > 0) {
        const step = Math.min(this.#payloadLeft, bytes.length - at);
        at += step;
        this.#payloadLeft -= step;
        if (this.#payloadLeft > 0) return -1;
      }
      if (this.#lengthLeft === 0 && this.#values === 0) return at;
      const byte = bytes[at];
      if (byte === undefined) return -1;
      at++;
      if (this.#lengthLeft === 0) this.#readTag(byte);
      else this.#readLength(byte);
    }
  }

  #readTag(tag: number): void {
    if (tag === reservedTag) throw badFrame("byte 0xc1 is no msgpack");
    this.#values--;
    this.#tag = tag;
    this.#length = 0;
    this.#lengthLeft = lengthSize[tag] ?? 0;
    this.#announce(1 + this.#lengthLeft);
    if (this.#lengthLeft === 0) this.#enter();
  }

  #readLength(byte: number): void {
    this.#length = this.#length * 256 + byte;
    this.#lengthLeft--;
    if (this.#lengthLeft === 0) this.#enter();
  }

  /** The header of a value is complete: its payload or its items follow. */
  #enter(): void {
    const items = (inlineSize[this.#tag] ?? 0) + this.#length;
    const perItem = valuesPerItem[this.#tag] ?? 0;
    if (perItem === 0) {
      this.#announce(items);
      this.#payloadLeft = items;
    } else if (items > 0) {
      // Every value takes a byte at least: a container that cannot fit is refused by its header.
      this.#check(this.#sizeBytes + items * perItem);
      if (this.#outer.length >= nestingMax) throw badFrame(`nested deeper than ${nestingMax}`);
      this.#outer.push(this.#values);
      this.#values = items * perItem;
    }
    while (this.#values === 0 && this.#outer.length > 0) this.#values = this.#outer.pop() ?? 0;
  }

  #announce(bytes: number): void {
    this.#sizeBytes += bytes;
    this.#check(this.#sizeBytes);
  }

  #check(sizeBytes: number): void {
    if (sizeBytes > this.#sizeMaxBytes) {
      throw badFrame(`a frame of at least ${sizeBytes} bytes; the limit is ${this.#sizeMaxBytes}`);
    }
  }
}
