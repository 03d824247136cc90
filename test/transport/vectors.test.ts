/** Byte for byte what hashicorp/raft v1.7.3 writes, and all that it reads. */

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defined } from "../../src/base/assert.ts";
import { concatBytes, toHex } from "../../src/base/bytes.ts";
import { bytes, type Codec } from "../../src/transport/codec.ts";
import { TransportError } from "../../src/transport/errors.ts";
import { FrameReader } from "../../src/transport/frame-reader.ts";
import { zeroGoTime } from "../../src/transport/go-time.ts";
import { MsgpackReader } from "../../src/transport/msgpack-reader.ts";
import { MsgpackWriter } from "../../src/transport/msgpack-writer.ts";
import * as wire from "../../src/transport/wire-structs.ts";
import { hexBytes, legacyTime, type Vector, vectors, wireFields } from "./vector-file.ts";

/** A codec whose structure is not known to the type system: the tests feed it a vector's fields. */
interface AnyCodec {
  write(writer: MsgpackWriter, value: unknown): void;
  read(reader: MsgpackReader): unknown;
}

const codecs: ReadonlyMap<string, AnyCodec> = new Map([
  ["Configuration", erased(wire.configuration)],
  ["Log", erased(wire.log)],
  ["AppendEntriesRequest", erased(wire.appendEntriesRequest)],
  ["AppendEntriesResponse", erased(wire.appendEntriesResponse)],
  ["RequestVoteRequest", erased(wire.requestVoteRequest)],
  ["RequestVoteResponse", erased(wire.requestVoteResponse)],
  ["RequestPreVoteRequest", erased(wire.requestPreVoteRequest)],
  ["RequestPreVoteResponse", erased(wire.requestPreVoteResponse)],
  ["InstallSnapshotRequest", erased(wire.installSnapshotRequest)],
  ["InstallSnapshotResponse", erased(wire.installSnapshotResponse)],
  ["TimeoutNowRequest", erased(wire.timeoutNowRequest)],
  ["TimeoutNowResponse", erased(wire.timeoutNowResponse)],
]);

function erased<T>(codec: Codec<T>): AnyCodec {
  return {
    write: (writer, value) => codec.write(writer, value as T),
    read: (reader) => codec.read(reader),
  };
}

const responseSchema = z.object({
  error: z.string(),
  response: z.record(z.string(), z.unknown()).nullable(),
});

function codecOf({ struct }: Vector): AnyCodec {
  return defined(codecs.get(struct), `there is a codec for ${struct}`);
}

function encode(vector: Vector): string {
  const writer = new MsgpackWriter();
  const codec = codecOf(vector);
  const fields = defined(vector.fields, "a vector to encode has fields");
  const timeFormat = vector.timeFormat ?? "legacy";
  if (vector.kind === "response") {
    const { error, response } = responseSchema.parse(fields);
    writer.raw(new TextEncoder().encode(error));
    if (response === null) writer.nil();
    else codec.write(writer, wireFields(response, timeFormat));
  } else {
    if (vector.kind === "request") writer.byte(vector.rpcType ?? 0);
    codec.write(writer, wireFields(fields, timeFormat));
  }
  return toHex(concatBytes(writer.finish())) + (vector.stream ?? "");
}

/** What a vector reads as: every time in Go's own format, the zero time from nil too, our own keys absent. */
function expected(fields: Record<string, unknown>): unknown {
  return normalized({ ...wireFields(fields, "legacy") });
}

function normalized(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(normalized);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [
        name,
        name === "AppendedAt" ? toHex(field ?? zeroGoTime) : normalized(field),
      ]),
  );
}

/** Decodes `hex` as it would come off a socket in pieces of `pieceBytes`. */
function decode(vector: Vector, pieceBytes = Number.POSITIVE_INFINITY): unknown {
  const all = hexBytes(vector.hex);
  if (vector.kind === "configuration" || vector.kind === "log") {
    return normalized(codecOf(vector).read(new MsgpackReader(all)));
  }
  const reader = new FrameReader(vector.kind, 1 << 20);
  for (let at = 0; at < all.length; at += pieceBytes) {
    reader.push(all.subarray(at, Math.min(all.length, at + pieceBytes)));
    const frame = reader.next();
    if (frame === null) continue;
    const body = new MsgpackReader(frame.bytes);
    if (vector.kind === "request") {
      expect(frame.type).toBe(vector.rpcType);
      return normalized(codecOf(vector).read(body));
    }
    const error = Buffer.from(bytes.read(body) ?? []).toString();
    const response = body.takeNil() ? null : normalized(codecOf(vector).read(body));
    return { error, response };
  }
  throw new Error("the vector holds no complete frame");
}

describe("golden vectors of hashicorp/raft v1.7.3", () => {
  it("are all there", () => {
    expect(vectors.length).toBe(127);
  });

  it.each(
    vectors.filter((vector) => vector.encode).map((vector) => [vector.name, vector] as const),
  )("encodes %s to the same bytes", (_name, vector) => {
    expect(encode(vector)).toBe(vector.hex);
  });

  const good = vectors.filter((vector) => !vector.decodeError);
  it.each(good.map((vector) => [vector.name, vector] as const))("decodes %s", (_name, vector) => {
    const fields = defined(vector.fields, "a good vector has fields");
    const response = vector.kind === "response" ? responseSchema.parse(fields) : null;
    const wanted =
      response === null
        ? expected(fields)
        : {
            error: response.error,
            response: response.response === null ? null : expected(response.response),
          };
    expect(decode(vector)).toEqual(wanted);
  });

  it.each(
    vectors.filter((vector) => vector.decodeError).map((vector) => [vector.name, vector] as const),
  )("rejects %s", (_name, vector) => {
    expect(() => decode(vector)).toThrow(TransportError);
  });

  it.each([1, 2, 3, 7])("reads the same from a stream in pieces of %i bytes", (pieceBytes) => {
    for (const vector of good) expect(decode(vector, pieceBytes)).toEqual(decode(vector));
  });

  it("knows Go's zero time", () => {
    expect(legacyTime(null)).toEqual(zeroGoTime);
  });
});
