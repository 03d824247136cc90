/** Whatever is written is read again, whatever is read is not trusted, and neither costs more than it should. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defined } from "../../src/base/assert.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import type { RequestMessage } from "../../src/raft/message.ts";
import type { Configuration, Entry } from "../../src/raft/types.ts";
import { decodeConfiguration, encodeConfiguration } from "../../src/transport/configuration.ts";
import { TransportError } from "../../src/transport/errors.ts";
import { identityOf } from "../../src/transport/fields.ts";
import { FrameReader } from "../../src/transport/frame-reader.ts";
import { MsgpackWriter } from "../../src/transport/msgpack-writer.ts";
import { decodeRequest, encodeRequest, messageOf } from "../../src/transport/requests.ts";
import { decodeResponse, encodeResponse } from "../../src/transport/responses.ts";
import { answerTo, appendEntries } from "./harness.ts";

const self = identityOf("node-ä", "10.0.0.1:7000", Uint8Array.of(1, 2, 3));
const emptyBytes = new Uint8Array(0);

const integer = fc.oneof(
  fc.nat({ max: Number.MAX_SAFE_INTEGER - 100 }),
  fc.constantFrom(0, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 101),
);
const term = integer.map((value) => value + 1);
const entryId = fc.record({ term: integer, index: integer });
const payload = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(31, 32, 300).map((length) => new Uint8Array(length).fill(9)),
);
const goTimeBytes = fc
  .uint8Array({ minLength: 14, maxLength: 14 })
  .map((rest) => concatBytes([Uint8Array.of(1), rest]));
const readiness = fc.record({
  isReady: fc.boolean(),
  appliedHeight: integer,
  priority: fc.integer(),
});
const servers = fc.array(
  fc.record({
    id: fc.string({ minLength: 1, unit: "grapheme" }),
    address: fc.string({ minLength: 1, maxLength: 50 }),
    suffrage: fc.constantFrom("voter" as const, "nonvoter" as const, "staging" as const),
  }),
  { maxLength: 20 },
);
const configuration: fc.Arbitrary<Configuration> = fc.record({ servers });
const rest = {
  term: integer,
  extensions: payload,
  appendedAt: fc.oneof(fc.constant(null), goTimeBytes),
};
const entryBody = fc.oneof(
  fc.record({
    ...rest,
    kind: fc.constantFrom("command", "noop", "barrier"),
    data: payload,
  }),
  fc.record({
    ...rest,
    kind: fc.constant("configuration" as const),
    data: configuration.map(encodeConfiguration),
  }),
) satisfies fc.Arbitrary<Omit<Entry, "index">>;

const envelope = { from: "node-ä", to: "node-b", id: 5 };
const request: fc.Arbitrary<RequestMessage> = fc.oneof(
  fc.record({ term }).map((body) => ({
    kind: "heartbeatRequest" as const,
    ...envelope,
    ...body,
    sentAtMs: 0,
  })),
  fc
    .record({ term, prev: entryId, bodies: fc.array(entryBody, { maxLength: 18 }) })
    .map(({ term, prev, bodies }) => ({
      kind: "appendEntriesRequest" as const,
      ...envelope,
      term,
      prev,
      entries: bodies.map((body, at) => ({ ...body, index: prev.index + 1 + at })),
      leaderCommit: 1, // never 0: with nothing else that would be a heartbeat
      sentAtMs: 0,
    })),
  fc.record({ term, last: entryId, leadershipTransfer: fc.boolean() }).map((body) => ({
    kind: "requestVoteRequest" as const,
    ...envelope,
    ...body,
  })),
  fc.record({ term, last: entryId, readiness: fc.option(readiness) }).map((body) => ({
    kind: "requestPreVoteRequest" as const,
    ...envelope,
    term: body.term,
    last: body.last,
    ...(body.readiness !== null && { readiness: body.readiness }),
  })),
  fc.constant({ kind: "timeoutNowRequest" as const, ...envelope }),
  fc
    .record({
      term,
      last: entryId,
      configuration,
      configurationIndex: integer,
      data: fc.uint8Array({ maxLength: 100 }),
    })
    .map(({ term, ...snapshot }) => ({
      kind: "installSnapshotRequest" as const,
      ...envelope,
      term,
      snapshot,
    })),
);

/** Reads the requests in `pieces` of a stream, as a connection does. */
function readRequests(pieces: readonly Uint8Array[]): RequestMessage[] {
  const reader = new FrameReader("request", 1 << 22);
  const messages: RequestMessage[] = [];
  let pending: Exclude<ReturnType<typeof decodeRequest>, { rpc: "extension" }> | null = null;
  for (const piece of pieces) {
    reader.push(piece);
    for (let frame = reader.next(); frame !== null; frame = reader.next()) {
      if (frame.type === null) {
        messages.push(messageOf(defined(pending, "a snapshot came first"), envelope, frame.bytes));
        pending = null;
        continue;
      }
      const decoded = decodeRequest(frame.type, frame.bytes);
      if (decoded.rpc === "extension") continue;
      if (decoded.rpc === "installSnapshot") {
        if (decoded.body.Size < 0 || decoded.body.Size > 1_000_000) return messages;
        pending = decoded;
        reader.expectStream(Number(decoded.body.Size));
      } else messages.push(messageOf(decoded, envelope, emptyBytes));
    }
  }
  return messages;
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    pieces.push(bytes.slice(at, at + size));
    at += size;
  }
  return pieces;
}

describe("requests", () => {
  it("read as they were written, however the stream is cut", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 4 }), sizes, (requests, pieceSizes) => {
        const writer = new MsgpackWriter();
        const stream = concatBytes(requests.flatMap((r) => encodeRequest(writer, r, self)));
        expect(readRequests(cut(stream, pieceSizes))).toEqual(requests);
      }),
      { numRuns: 200 },
    );
  });

  it("are answered by responses that read as they were written, with the request's own fields", () => {
    fc.assert(
      fc.property(request, fc.option(readiness), (message, ready) => {
        const writer = new MsgpackWriter();
        const plain = answerTo(message);
        const isTimed =
          plain.kind === "heartbeatResponse" || plain.kind === "appendEntriesResponse";
        const response = isTimed && ready !== null ? { ...plain, readiness: ready } : plain;
        if (!response.kind.endsWith("Response")) throw new Error("a response");
        const bytes = concatBytes(
          encodeResponse(writer, response as never, identityOf(message.to, "10.0.0.1:7000", null)),
        );
        const reader = new FrameReader("response", 1 << 20);
        reader.push(bytes);
        const decoded = decodeResponse(defined(reader.next(), "a frame").bytes, message, null);
        const echoed =
          message.kind === "appendEntriesRequest"
            ? {
                matchIndex: message.prev.index + message.entries.length,
                prevLogIndex: message.prev.index,
              }
            : message.kind === "installSnapshotRequest"
              ? { snapshotIndex: message.snapshot.last.index }
              : {};
        expect(decoded).toEqual({ kind: "message", message: { ...response, ...echoed } });
      }),
    );
  });
});

describe("a configuration", () => {
  it("reads as it was written", () => {
    fc.assert(
      fc.property(configuration, (value) => {
        expect(decodeConfiguration(encodeConfiguration(value))).toEqual(value);
      }),
    );
  });
});

describe("arbitrary bytes", () => {
  const tags = fc.constantFrom(0x81, 0x82, 0x91, 0xa1, 0xc4, 0xc7, 0xd6, 0xda, 0xdd, 0xdf, 0xc0);
  const bytes = fc
    .array(fc.oneof(fc.integer({ min: 0, max: 255 }), tags), { maxLength: 300 })
    .map((list) => Uint8Array.from(list));

  it("are read or refused with a typed error, never anything else", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), bytes, (type, rest) => {
        for (const read of [
          () => readRequests([concatBytes([Uint8Array.of(type), rest])]),
          () => decodeRequest(type, rest),
          () => decodeConfiguration(rest),
          () => decodeResponse(rest, appendEntries("a", "b", 1, []), null),
        ]) {
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(TransportError);
          }
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("one flipped byte in a good frame is no exception", () => {
    const writer = new MsgpackWriter();
    const message = appendEntries("a", "b", 3, [new Uint8Array(5), new Uint8Array(40)]);
    const good = concatBytes(encodeRequest(writer, message, self));
    for (let at = 0; at < good.length; at++) {
      for (const value of [0x00, 0x7f, 0xa0, 0xc0, 0xc1, 0xdd, 0xff]) {
        const bad = good.slice();
        bad[at] = value;
        try {
          readRequests([bad]);
        } catch (error) {
          expect(error).toBeInstanceOf(TransportError);
        }
      }
    }
  });
});

describe("a large frame", () => {
  it("is read once, in however many pieces it comes", () => {
    // Decoding anew with each piece would look at half a million times 250 KB here, and not end.
    const message = appendEntries("node-ä", "node-b", 1, [new Uint8Array(500_000).fill(5)]);
    const stream = concatBytes(encodeRequest(new MsgpackWriter(), message, self));
    const [read] = readRequests(cut(stream, [1]));
    expect(read?.kind === "appendEntriesRequest" && read.entries[0]?.data?.length).toBe(500_000);
  });

  it("is refused as soon as its size is announced", () => {
    const reader = new FrameReader("request", 1_000);
    reader.push(Uint8Array.of(0, 0x81, 0xa1, 0x78, 0xda, 0x03, 0xe9));
    expect(() => reader.next()).toThrow(/at least 100\d bytes; the limit is 1000/);
  });

  it("goes out without its payload being copied", () => {
    const payload = new Uint8Array(100_000);
    const message = appendEntries("node-ä", "node-b", 1, [payload]);
    const chunks = encodeRequest(new MsgpackWriter(), message, self);
    expect(chunks.some((chunk) => chunk === payload)).toBe(true);
  });
});

describe("an array in place of a map, as Go may send and reads", () => {
  const nil = 0xc0;
  it.each([
    ["requestVote", 0x01, [3, nil, nil, 7, nil, 5, 6, 0xc3], { Term: 7, LastLogIndex: 5 }],
    ["requestPreVote", 0x04, [3, nil, nil, 7, 5, 6], { Term: 7, LastLogTerm: 6 }],
    ["appendEntries", 0x00, [3, nil, nil, 7, nil, 5, 6, nil, 4], { LeaderCommitIndex: 4 }],
    ["installSnapshot", 0x02, [3, nil, nil, 1, 7, nil, 5, 6, nil, nil, 2, 9], { Size: 9 }],
  ])("has the fields of %s in Go's order", (rpc, type, values, fields) => {
    const frame = Uint8Array.of(0x90 | values.length, ...values);
    expect(decodeRequest(type, frame)).toMatchObject({ rpc, body: fields });
  });
});
