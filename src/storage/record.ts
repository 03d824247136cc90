/**
 * A record: CRC-32C of the rest, then fields, big-endian. Everything stored is one, so that a flipped
 * bit is an error that names its place, and never data.
 *
 *   u32 checksum | field | field | ...
 *   bytes = u32 length + content; a length of 2^32-1 is null
 */
import { assert } from "../base/assert.ts";
import { crc32c, uninitialisedBytes } from "../base/bytes.ts";
import { corrupt, type Place } from "./errors.ts";

export const checksumBytes = 4;
const nullLength = 0xffff_ffff;
const initialBytes = 256;

export class RecordWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = checksumBytes;

  /** `fieldBytes`: about what the fields will take, where that is much and known; `take`: where the memory is from. */
  constructor(
    fieldBytes = initialBytes,
    take: (sizeBytes: number) => Uint8Array = uninitialisedBytes,
  ) {
    this.#bytes = take(checksumBytes + fieldBytes);
    this.#view = viewOf(this.#bytes);
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
    return this;
  }

  /** A non-negative safe integer, in eight bytes. */
  count(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, "a count is a safe integer", { value });
    const at = this.#reserve(8);
    this.#view.setUint32(at, Math.floor(value / 2 ** 32));
    this.#view.setUint32(at + 4, value >>> 0);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  bytes(value: Uint8Array | null): this {
    if (value === null) return this.u32(nullLength);
    this.u32(value.length);
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  text(value: string | null): this {
    return this.bytes(value === null ? null : new TextEncoder().encode(value));
  }

  /** The record, checksum included. The writer must not be used again. */
  finish(): Uint8Array {
    const record = this.#bytes.subarray(0, this.#length);
    this.#view.setUint32(0, crc32c(record.subarray(checksumBytes)));
    return record;
  }

  /** Makes room for `length` bytes and returns where they begin. May replace `#bytes` and `#view`: call it first. */
  #reserve(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = uninitialisedBytes(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    return at;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Lets no byte go, the byte order mark among them: a name may begin with one. */
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads what {@link RecordWriter} wrote; throws STORAGE_CORRUPT, naming `place`, on anything else. */
export class RecordReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #place: Place;
  #at = checksumBytes;

  /** `checksum` is that of the bytes after the first four, for whoever has summed them up already. */
  constructor(bytes: Uint8Array, place: Place, checksum = crc32c(bytes.subarray(checksumBytes))) {
    // A Buffer's `slice` shares memory where Uint8Array's copies: fields must not inherit that.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#view = viewOf(bytes);
    this.#place = place;
    if (bytes.length < checksumBytes) throw corrupt(place, "is cut short");
    if (this.#view.getUint32(0) !== checksum) {
      throw corrupt(place, "does not match its checksum");
    }
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  count(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.malformed(`holds the number ${value}`);
    return Number(value);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** A view on the record, not a copy. */
  nullableBytes(): Uint8Array | null {
    const length = this.u32();
    if (length === nullLength) return null;
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes(): Uint8Array {
    const value = this.nullableBytes();
    if (value === null) throw this.malformed("lacks a field");
    return value;
  }

  nullableText(): string | null {
    const value = this.nullableBytes();
    return value === null ? null : this.#textOf(value);
  }

  text(): string {
    return this.#textOf(this.bytes());
  }

  /** Call after the last field: a record that goes on is not one of ours. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw this.malformed("is longer than its fields");
  }

  /** The error for a record that is intact, and still not what should be here. */
  malformed(problem: string): Error {
    return corrupt(this.#place, problem);
  }

  /** Names compare by their text: two that are written differently must not read the same. */
  #textOf(value: Uint8Array): string {
    try {
      return strictUtf8.decode(value);
    } catch (cause) {
      throw corrupt(this.#place, "holds text that is not UTF-8", cause);
    }
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw this.malformed("ends before its last field");
    this.#at += length;
    return at;
  }
}
