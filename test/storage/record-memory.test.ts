import { expect, it } from "vitest";
import { RecordMemory } from "../../src/storage/record-memory.ts";

const filled = (memory: RecordMemory, sizeBytes: number, byte: number) =>
  memory.take(sizeBytes).fill(byte);

it("gives each record of a transaction memory of its own", () => {
  const memory = new RecordMemory();
  // The first transaction shows what is wanted; the second has it from what is kept.
  for (let transaction = 0; transaction < 3; transaction++) {
    memory.begin();
    const records = [1, 70_000, 300, 100_000].map((size, at) => filled(memory, size, at + 1));
    for (const [at, record] of records.entries()) {
      expect(record.every((byte) => byte === at + 1)).toBe(true);
    }
    memory.end();
  }
});

it("uses the memory of the last transaction again", () => {
  const memory = new RecordMemory();
  memory.take(100_000);
  memory.begin();
  const first = memory.take(100_000);
  memory.end();
  memory.begin();
  expect(memory.take(50_000).buffer).toBe(first.buffer);
});

it("keeps no more than is of use, however much a transaction took", () => {
  const memory = new RecordMemory();
  const mebibyte = 1024 * 1024;
  memory.take(64 * mebibyte);
  memory.begin();
  expect(memory.take(mebibyte).buffer.byteLength).toBe(4 * mebibyte);
  expect(memory.take(16 * mebibyte).buffer.byteLength).toBe(16 * mebibyte);
});

it("is not used for two transactions at once", () => {
  const memory = new RecordMemory();
  memory.begin();
  expect(() => memory.begin()).toThrow("one transaction at a time");
});
