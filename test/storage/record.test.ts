import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "../../src/storage/errors.ts";
import { numberFromKey, numberKey } from "../../src/storage/keys.ts";
import { RecordReader, RecordWriter } from "../../src/storage/record.ts";

const place = { path: "file", database: "table", key: "key" };

function read(bytes: Uint8Array): unknown[] {
  const reader = new RecordReader(bytes, place);
  const fields = [reader.u8(), reader.u32(), reader.count(), reader.u64()];
  const values = [
    ...fields,
    reader.nullableBytes(),
    reader.bytes(),
    reader.nullableText(),
    reader.text(),
  ];
  reader.end();
  return values;
}

type FieldValues = readonly [
  number,
  number,
  number,
  bigint,
  Uint8Array | null,
  Uint8Array,
  string | null,
  string,
];

const fields: fc.Arbitrary<FieldValues> = fc.tuple(
  fc.nat({ max: 255 }),
  fc.nat({ max: 2 ** 32 - 1 }),
  fc.maxSafeNat(),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.option(fc.uint8Array({ maxLength: 600 }), { nil: null }),
  fc.uint8Array({ maxLength: 600 }),
  fc.option(fc.string({ unit: "grapheme" }), { nil: null }),
  fc.string(),
);

function write(values: FieldValues): Uint8Array {
  const [u8, u32, count, u64, maybe, bytes, words, text] = values;
  const writer = new RecordWriter().u8(u8).u32(u32).count(count).u64(u64);
  return writer.bytes(maybe).bytes(bytes).text(words).text(text).finish();
}

describe("a record", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(fields, (values) => {
        expect(read(write(values))).toEqual(values);
      }),
    );
  });

  it("with any one bit flipped is refused", () => {
    fc.assert(
      fc.property(fields, fc.nat(), fc.nat({ max: 7 }), (values, where, bit) => {
        const bytes = write(values).slice();
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        expect(() => read(bytes)).toThrow(StorageError);
      }),
    );
  });

  it("that is cut short, or goes on, is refused", () => {
    const short = new RecordWriter().u8(1).finish();
    expect(() => read(short)).toThrow("file is damaged: table key ends before its last field");
    expect(() => new RecordReader(short, place).end()).toThrow("is longer than its fields");
    expect(() => read(new Uint8Array(3))).toThrow("is cut short");
  });
});

describe("text in a record", () => {
  it("keeps a byte order mark: it may be what tells two names apart", () => {
    const record = new RecordWriter().text("\ufeffnode").finish();
    expect(new RecordReader(record, place).text()).toBe("\ufeffnode");
  });

  it("that is not UTF-8 is refused, and does not read as another name", () => {
    const record = new RecordWriter().bytes(Uint8Array.of(0x6e, 0xca)).finish();
    expect(() => new RecordReader(record, place).text()).toThrow("holds text that is not UTF-8");
    expect(() => new RecordReader(record, place).nullableText()).toThrow(StorageError);
  });
});

describe("a number as a key", () => {
  it("sorts as bytes as it does as a number", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        expect(numberFromKey(numberKey(a))).toBe(a);
        expect(Math.sign(Buffer.compare(numberKey(a), numberKey(b)))).toBe(Math.sign(a - b));
      }),
    );
    expect(numberFromKey(new Uint8Array(7))).toBeNull();
    expect(numberFromKey(new Uint8Array(8).fill(255))).toBeNull();
  });
});
