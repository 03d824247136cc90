/** Go values as msgpack: one codec per Go type, and `struct` that makes one of a table of fields. */

import { assert } from "../base/assert.ts";
import { concatBytes } from "../base/bytes.ts";
import { badFrame } from "./errors.ts";
import { goTimeOfTimestamp, isGoTime } from "./go-time.ts";
import type { MsgpackReader } from "./msgpack-reader.ts";
import type { MsgpackWriter, WireInteger } from "./msgpack-writer.ts";

export interface Codec<T> {
  /** What Go's decoder leaves in a field that is nil or missing. */
  readonly zero: T;
  /** A key whose value is undefined is left out (our own keys, that Go peers do not know). */
  readonly isOptional?: boolean;
  write(writer: MsgpackWriter, value: T): void;
  /** Throws a bad-frame error where Go's decoder fails. */
  read(reader: MsgpackReader): T;
}

/** The TypeScript type that a codec reads and writes. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

export const uint: Codec<WireInteger> = {
  zero: 0,
  write: (writer, value) => writer.uint(value),
  read: (reader) => (reader.takeNil() ? 0 : reader.uint()),
};

export const uint8: Codec<number> = {
  zero: 0,
  write: (writer, value) => writer.uint(value),
  read: (reader) => (reader.takeNil() ? 0 : byteOf(reader.uint())),
};

export const int: Codec<WireInteger> = {
  zero: 0,
  write: (writer, value) => writer.int(value),
  read(reader) {
    if (reader.takeNil()) return 0;
    const value = reader.int();
    if (value >= 2n ** 63n) throw badFrame(`${value} does not fit a signed field`);
    return value;
  },
};

export const bool: Codec<boolean> = {
  zero: false,
  write: (writer, value) => writer.bool(value),
  read: (reader) => !reader.takeNil() && reader.bool(),
};

/** `[]byte`; null is Go's nil, which is not the empty slice. */
export const bytes: Codec<Uint8Array | null> = {
  zero: null,
  write: (writer, value) => (value === null ? writer.nil() : writer.raw(value)),
  read(reader) {
    if (reader.takeNil()) return null;
    return reader.isArray() ? readByteArray(reader) : reader.raw();
  },
};

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `string`. Go does not check the encoding; we do, or two identities could read the same. */
export const text: Codec<string> = {
  zero: "",
  write: (writer, value) => writer.raw(utf8.encode(value)),
  read(reader) {
    if (reader.takeNil()) return "";
    const encoded = reader.raw();
    try {
      return strictUtf8.decode(encoded);
    } catch (cause) {
      throw badFrame("text that is not UTF-8", cause);
    }
  },
};

/**
 * `time.Time`. Reads any format into Go's own (null for nil); writes a payload as it is, behind the
 * fixraw header without which Go does not recognise its own format.
 */
export const time: Codec<Uint8Array | null> = {
  zero: null,
  write(writer, value) {
    if (value === null) return writer.nil();
    assert(value.length <= 16, "a time takes at most 16 bytes", { length: value.length });
    writer.raw(value);
  },
  read(reader) {
    if (reader.takeNil()) return null;
    const tag = reader.peek();
    if ((tag >= 0xd4 && tag <= 0xd8) || tag === 0xc7) {
      return goTimeOfTimestamp(reader.timestampExt());
    }
    const payload = reader.raw();
    const isFixRaw = tag >= 0xa0 && tag <= 0xbf;
    return isFixRaw && isGoTime(payload) ? payload : goTimeOfTimestamp(payload);
  },
};

/** A slice of structures; null is Go's nil. A nil element would crash a Go node, so none is read. */
export function list<T>(item: Codec<T>, lengthMax: number): Codec<readonly T[] | null> {
  return {
    zero: null,
    write(writer, value) {
      if (value === null) return writer.nil();
      writer.array(value.length);
      for (const element of value) item.write(writer, element);
    },
    read(reader) {
      if (reader.takeNil()) return null;
      if (!reader.isArray()) throw badFrame("expected an array");
      const length = reader.containerLength();
      if (length > lengthMax) throw badFrame(`${length} elements; the limit is ${lengthMax}`);
      const elements: T[] = [];
      for (let at = 0; at < length; at++) {
        if (reader.takeNil()) throw badFrame("nil in an array of structures");
        elements.push(item.read(reader));
      }
      return elements;
    },
  };
}

/** A key that is written only when it has a value. */
export function optional<T>(codec: Codec<T>): Codec<T | undefined> {
  return {
    zero: undefined,
    isOptional: true,
    write(writer, value) {
      if (value !== undefined) codec.write(writer, value);
    },
    read: (reader) => codec.read(reader),
  };
}

/**
 * A Go struct from its fields in the order of declaration. Written as a map with the keys in ASCII
 * order; read from a map in any order (the last of two equal keys counts, unknown keys are
 * skipped), from an array in the order of declaration, or from nil.
 */
export function struct<S extends object>(
  fields: {
    readonly [K in keyof S]: Codec<S[K]>;
  },
): Codec<S> {
  type Name = Extract<keyof S, string>;
  interface Field {
    readonly name: Name;
    readonly nameBytes: Uint8Array;
    /** The key as it is written: header and name. */
    readonly key: Uint8Array;
  }
  const declared: Field[] = [];
  for (const name in fields) {
    const nameBytes = utf8.encode(name);
    assert(nameBytes.length < 32, "a key fits a fixraw", { name });
    declared.push({
      name,
      nameBytes,
      key: concatBytes([Uint8Array.of(0xa0 | nameBytes.length), nameBytes]),
    });
  }
  const sorted = declared.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const optionals = sorted.filter(({ name }) => fields[name].isOptional === true);
  const zero = zeroOf(fields);

  function writeField<K extends Name>(writer: MsgpackWriter, value: S, name: K): void {
    fields[name].write(writer, value[name]);
  }
  function readField<K extends Name>(reader: MsgpackReader, into: S, name: K): void {
    into[name] = fields[name].read(reader);
  }
  function readMap(reader: MsgpackReader, into: S): void {
    let next = 0;
    for (let pairs = reader.containerLength(); pairs > 0; pairs--) {
      next = takeKey(reader, sorted, next);
      const field = sorted[next];
      if (field === undefined) reader.skip();
      else readField(reader, into, field.name);
      next++;
    }
  }
  function readArray(reader: MsgpackReader, into: S): void {
    const length = reader.containerLength();
    for (let at = 0; at < length; at++) {
      const field = declared[at];
      if (field === undefined) reader.skip();
      else readField(reader, into, field.name);
    }
  }

  return {
    zero,
    write(writer, value) {
      let absent = 0;
      for (const { name } of optionals) if (value[name] === undefined) absent++;
      writer.map(sorted.length - absent);
      for (const field of sorted) {
        if (absent > 0 && value[field.name] === undefined) continue;
        writer.verbatim(field.key);
        writeField(writer, value, field.name);
      }
    },
    read(reader) {
      const value = { ...zero };
      if (reader.takeNil()) return value;
      if (reader.isMap()) readMap(reader, value);
      else if (reader.isArray()) readArray(reader, value);
      else throw badFrame("expected a structure (a map or an array)");
      return value;
    },
  };
}

function zeroOf<S extends object>(fields: { readonly [K in keyof S]: Codec<S[K]> }): S {
  const zeros: { [key: string]: unknown } = {};
  for (const name in fields) zeros[name] = fields[name].zero;
  return zeros as S; // every key of S has just been set to its own zero
}

/**
 * Reads a key and returns its place in `fields`, or their number if it is none of them. Senders
 * sort their keys, so the search begins where the last one ended and nearly always ends at once.
 */
function takeKey(
  reader: MsgpackReader,
  fields: readonly { readonly nameBytes: Uint8Array }[],
  from: number,
): number {
  const length = reader.rawLength();
  for (let step = 0; step < fields.length; step++) {
    const at = (from + step) % fields.length;
    const field = fields[at];
    if (field !== undefined && reader.takeExactly(field.nameBytes, length)) return at;
  }
  reader.skipBytes(length);
  return fields.length;
}

/** Go decodes `[]byte` also from an array of small integers. */
function readByteArray(reader: MsgpackReader): Uint8Array {
  const numbers = new Uint8Array(reader.containerLength());
  for (let at = 0; at < numbers.length; at++) numbers[at] = byteOf(reader.uint());
  return numbers;
}

function byteOf(value: WireInteger): number {
  if (value > 0xff) throw badFrame(`${value} does not fit 8 bits`);
  return Number(value);
}
