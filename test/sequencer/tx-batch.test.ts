import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeTxBatch, encodeTxBatch } from "../../src/sequencer/tx-batch.ts";

const batch = fc.array(
  fc.record({
    id: fc.uint8Array({ minLength: 1, maxLength: 256 }),
    tx: fc.uint8Array({ maxLength: 300 }),
  }),
);

it("a batch is read as it was written", () => {
  fc.assert(
    fc.property(batch, (txs) => {
      expect(decodeTxBatch(encodeTxBatch(txs))).toEqual(txs);
    }),
  );
});

it("a batch that is cut, or goes on, is none", () => {
  fc.assert(
    fc.property(batch, fc.nat(), (txs, at) => {
      const bytes = encodeTxBatch(txs);
      expect(decodeTxBatch(bytes.subarray(0, at % bytes.length))).toBeNull();
      expect(decodeTxBatch(Uint8Array.from([...bytes, 0]))).toBeNull();
    }),
  );
});

it("any bytes are read without harm", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const txs = decodeTxBatch(bytes);
      if (txs !== null) expect(encodeTxBatch(txs)).toEqual(bytes);
    }),
  );
});

it.each([
  ["without an identity", 0, 1],
  ["with an identity that no block can hold", 257, 1],
  ["larger than a block", 16, 5 * 1024 * 1024 + 1],
])("a transaction %s makes the batch none", (_, idBytes, txBytes) => {
  const tx = { id: new Uint8Array(idBytes), tx: new Uint8Array(txBytes) };
  expect(decodeTxBatch(encodeTxBatch([tx]))).toBeNull();
});

it("a length of 4 GiB costs nothing", () => {
  expect(decodeTxBatch(Uint8Array.from([255, 255, 255, 255]))).toBeNull();
  expect(decodeTxBatch(Uint8Array.from([0, 0, 0, 1, 255, 255, 255, 255]))).toBeNull();
});
