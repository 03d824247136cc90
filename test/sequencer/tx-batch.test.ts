import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeTxBatch, encodeTxBatch } from "../../src/sequencer/tx-batch.ts";

const batch = fc.record({
  absentThrough: fc.maxSafeNat(),
  txs: fc.array(
    fc.record({
      id: fc.uint8Array({ minLength: 1, maxLength: 256 }),
      tx: fc.uint8Array({ maxLength: 300 }),
    }),
  ),
});

it("a batch is read as it was written", () => {
  fc.assert(
    fc.property(batch, (offered) => {
      expect(decodeTxBatch(encodeTxBatch(offered))).toEqual(offered);
    }),
  );
});

it("a batch that is cut, or goes on, is none", () => {
  fc.assert(
    fc.property(batch, fc.nat(), (offered, at) => {
      const bytes = encodeTxBatch(offered);
      expect(decodeTxBatch(bytes.subarray(0, at % bytes.length))).toBeNull();
      expect(decodeTxBatch(Uint8Array.from([...bytes, 0]))).toBeNull();
    }),
  );
});

it("any bytes are read without harm", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const offered = decodeTxBatch(bytes);
      if (offered !== null) expect(encodeTxBatch(offered)).toEqual(bytes);
    }),
  );
});

it.each([
  ["without an identity", 0, 1],
  ["with an identity that no block can hold", 257, 1],
  ["larger than a block", 16, 5 * 1024 * 1024 + 1],
])("a transaction %s makes the batch none", (_, idBytes, txBytes) => {
  const tx = { id: new Uint8Array(idBytes), tx: new Uint8Array(txBytes) };
  expect(decodeTxBatch(encodeTxBatch({ absentThrough: 0, txs: [tx] }))).toBeNull();
});

it("a length of 4 GiB costs nothing", () => {
  const height = [0, 0, 0, 0, 0, 0, 0, 7];
  expect(decodeTxBatch(Uint8Array.from([...height, 255, 255, 255, 255]))).toBeNull();
  expect(decodeTxBatch(Uint8Array.from([...height, 0, 0, 0, 1, 255, 255, 255, 255]))).toBeNull();
});

it("a height that is no safe integer makes the batch none", () => {
  expect(decodeTxBatch(new Uint8Array(12).fill(255, 0, 8))).toBeNull();
});
