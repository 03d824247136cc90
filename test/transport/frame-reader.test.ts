import { expect, it } from "vitest";
import { FrameReader } from "../../src/transport/frame-reader.ts";
import { MsgpackWriter } from "../../src/transport/msgpack-writer.ts";

/** A response: an error string and a structure, here a payload that shows where each byte belongs. */
function response(payloadBytes: number): Uint8Array {
  const writer = new MsgpackWriter();
  writer.raw(new Uint8Array());
  writer.raw(Uint8Array.from({ length: payloadBytes }, (_, at) => (at * 31 + (at >> 8)) & 0xff));
  return Buffer.concat(writer.finish());
}

/** Lengths of pieces that go round until the frame is over: below and above what is kept as it came. */
it.each([
  { pieces: [1] },
  { pieces: [7, 1] },
  { pieces: [16_383] },
  { pieces: [16_384] },
  { pieces: [65_536] },
  { pieces: [1, 20_000, 3, 5, 70_000, 16_383, 16_384] },
])("gathers a frame that comes in pieces of $pieces", ({ pieces }) => {
  const reader = new FrameReader("response", 1_000_000);
  for (const frame of [response(300_000), response(3), response(100_000)]) {
    const gathered: Uint8Array[] = [];
    for (let at = 0, nth = 0; at < frame.length; nth++) {
      const length = pieces[nth % pieces.length] ?? 1;
      reader.push(frame.slice(at, at + length));
      at += length;
      for (let next = reader.next(); next !== null; next = reader.next()) gathered.push(next.bytes);
    }
    expect(gathered.map((bytes) => Buffer.from(bytes).equals(frame))).toEqual([true]);
    expect(reader.isPartial).toBe(false);
  }
});

it("hands on a gathered frame in memory of just its size", () => {
  const reader = new FrameReader("response", 1_000_000);
  const frame = response(100_000);
  reader.push(frame.slice(0, 50_000));
  expect(reader.next()).toBeNull();
  reader.push(frame.slice(50_000));
  expect(reader.next()?.bytes.buffer.byteLength).toBe(frame.length);
});
