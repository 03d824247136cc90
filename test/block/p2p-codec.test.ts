import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, emptyBytes, toHex } from "../../src/base/bytes.ts";
import { decodeBlockPayload, encodeData, encodeSignedHeader } from "../../src/block/codec.ts";
import { BlockError } from "../../src/block/errors.ts";
import { encodeFrame, FrameDecoder } from "../../src/block/framing.ts";
import {
  decodeHeaderRequest,
  decodeHeaderResponse,
  decodeP2PData,
  decodeP2PSignedHeader,
  encodeHeaderRequest,
  encodeHeaderResponse,
  encodeP2PData,
  encodeP2PSignedHeader,
  type HeaderRequest,
} from "../../src/block/p2p-codec.ts";
import { hex } from "./sample.ts";
import { bytes, text, vector } from "./vectors.ts";

const { expected } = vector("derived: block 1 of chain evolve-test");
const block1 = decodeBlockPayload(bytes(expected, "raft_log_data(=snapshot content)"));

describe("blocks between peers", () => {
  it("carry the hint even when it is 0", () => {
    const header = encodeP2PSignedHeader({ signed: block1.header, daHeightHint: 0 });
    expect(header).toEqual(bytes(expected, "p2p_signed_header_bytes"));
    const data = encodeP2PData({ data: block1.data, daHeightHint: 0 });
    expect(data).toEqual(bytes(expected, "p2p_data_bytes"));
  });

  it("are read with and without the hint", () => {
    const signed = block1.header;
    for (const daHeightHint of [0, 17]) {
      const header = { signed, daHeightHint };
      expect(decodeP2PSignedHeader(encodeP2PSignedHeader(header))).toEqual(header);
      const data = { data: block1.data, daHeightHint };
      expect(decodeP2PData(encodeP2PData(data))).toEqual(data);
    }
    expect(decodeP2PSignedHeader(encodeSignedHeader(signed))).toEqual({ signed, daHeightHint: 0 });
    const data = decodeP2PData(encodeData(block1.data));
    expect(data).toEqual({ data: block1.data, daHeightHint: 0 });
  });
});

describe("the header exchange", () => {
  const hash = hex("9027c31fddb78d9a00622f451b1455d8da43d9f59b34459de703023a7a84d797");
  const requests: HeaderRequest[] = [
    { kind: "range", origin: 0, amount: 1 },
    { kind: "range", origin: 1, amount: 64 },
    { kind: "hash", hash, amount: 1 },
  ];

  it.each(requests.map((request, at) => ({ request, at })))("request %#", ({ request, at }) => {
    const encoded = encodeHeaderRequest(request);
    const frames = vector("derived: header-ex request frames").expected;
    expect(toHex(encodeFrame(encoded))).toBe(text(frames, at));
    expect(decodeHeaderRequest(encoded)).toEqual(request);
  });

  it("responses", () => {
    const frames = vector("derived: header-ex response frames").expected;
    const body = bytes(expected, "p2p_signed_header_bytes");
    const ok = encodeHeaderResponse({ kind: "ok", body });
    expect(toHex(encodeFrame(ok))).toBe(text(frames, 0));
    expect(decodeHeaderResponse(ok)).toEqual({ kind: "ok", body });
    const notFound = encodeHeaderResponse({ kind: "notFound" });
    expect(toHex(encodeFrame(notFound))).toBe(text(frames, 1));
    expect(decodeHeaderResponse(notFound)).toEqual({ kind: "notFound" });
    expect(decodeHeaderResponse(emptyBytes)).toEqual({ kind: "invalid", statusCode: 0 });
  });

  it("a request for nothing is refused", () => {
    expect(() => decodeHeaderRequest(hex("1801"))).toThrow(BlockError);
    expect(() => decodeHeaderRequest(new Uint8Array(5000))).toThrow(BlockError);
  });
});

describe("frames", () => {
  it("come out as they went in, however the stream is cut", () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 });
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(messages, cuts, (sent, sizes) => {
        const stream = concatBytes(sent.map(encodeFrame));
        const decoder = new FrameDecoder(1000);
        const received: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          received.push(...decoder.push(stream.slice(at, at + size)));
          at += size;
        }
        expect(received).toEqual(sent);
        expect(decoder.isInsideFrame).toBe(false);
      }),
      { seed: 3 },
    );
  });

  it("an unfinished one is known", () => {
    const decoder = new FrameDecoder(10);
    expect(decoder.push(hex("0501"))).toEqual([]);
    expect(decoder.isInsideFrame).toBe(true);
  });

  it.each([
    ["a length beyond the limit", "8001", "BLOCK_LIMIT"],
    ["an endless length", "8080808080", "BLOCK_MALFORMED"],
  ])("%s is refused at once", (_name, stream, code) => {
    const push = () => new FrameDecoder(100).push(hex(stream));
    expect(push).toThrow(expect.objectContaining({ detail: expect.objectContaining({ code }) }));
  });

  it.each([4096, 16])("a large message in pieces of %i bytes takes linear time", (pieceBytes) => {
    const message = new Uint8Array(8 * 1024 * 1024);
    const stream = encodeFrame(message);
    const decoder = new FrameDecoder(message.length);
    const received: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += pieceBytes) {
      received.push(...decoder.push(stream.subarray(at, at + pieceBytes)));
    }
    expect(received.map(({ length }) => length)).toEqual([message.length]);
  });
});
