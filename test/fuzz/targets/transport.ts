/** What other members, and strangers on the Raft port, send. */

import { isDeepStrictEqual } from "node:util";
import { concatBytes } from "../../../src/base/bytes.ts";
import type { RequestMessage, ResponseMessage } from "../../../src/raft/message.ts";
import { parseEndpoint } from "../../../src/transport/address.ts";
import { decodeConfiguration, encodeConfiguration } from "../../../src/transport/configuration.ts";
import { TransportError } from "../../../src/transport/errors.ts";
import { entryFields, identityOf } from "../../../src/transport/fields.ts";
import { FrameReader } from "../../../src/transport/frame-reader.ts";
import { MsgpackReader } from "../../../src/transport/msgpack-reader.ts";
import { MsgpackWriter } from "../../../src/transport/msgpack-writer.ts";
import {
  decodeRequest,
  encodeExtensionCall,
  encodeRequest,
  isForeign,
  messageOf,
  senderAddress,
} from "../../../src/transport/requests.ts";
import {
  decodeExtensionAnswer,
  decodeResponse,
  encodeExtensionAnswer,
  encodeRefusal,
  encodeResponse,
} from "../../../src/transport/responses.ts";
import * as wire from "../../../src/transport/wire-structs.ts";
import { answerTo, appendEntries } from "../../transport/harness.ts";
import { hexBytes, vectors } from "../../transport/vector-file.ts";
import { json, msgpack } from "../shapes.ts";
import { checkCodec, Defect, type Outcome, type Target, textOf, utf8 } from "../target.ts";

/** The beginning of a genesis' hash, which members tell one another (EvChain). */
const chain = new Uint8Array(8).fill(9);
const self = identityOf("node-a", "10.0.0.1:7000", chain);
/** Who answers: a response that names another is refused. */
const peer = identityOf("node-b", "10.0.0.2:7000", chain);
const envelope = { from: "node-a", to: "node-b", id: 5 };
const configuration = {
  servers: [
    { id: "node-a", address: "10.0.0.1:5001", suffrage: "voter" as const },
    { id: "node-ä", address: "[fd00::1]:5001", suffrage: "nonvoter" as const },
    { id: "n", address: "a:1", suffrage: "staging" as const },
  ],
};
const last = { term: 2, index: 9 };
const readiness = { isReady: true, appliedHeight: 7, priority: -3 };

const requests: readonly RequestMessage[] = [
  { kind: "heartbeatRequest", ...envelope, term: 3, sentAtMs: 0 },
  appendEntries("node-a", "node-b", 3, [new Uint8Array(5), new Uint8Array(40)]),
  { kind: "requestVoteRequest", ...envelope, term: 2 ** 40, last, leadershipTransfer: true },
  { kind: "requestPreVoteRequest", ...envelope, term: 4, last, readiness },
  { kind: "timeoutNowRequest", ...envelope },
  {
    kind: "installSnapshotRequest",
    ...envelope,
    term: 3,
    snapshot: { last, configuration, configurationIndex: 1, data: new Uint8Array(30).fill(7) },
  },
];

const writer = new MsgpackWriter();

function written(write: (writer: MsgpackWriter) => readonly Uint8Array[]): Uint8Array {
  return concatBytes(write(writer));
}

const ourRequests: readonly Uint8Array[] = [
  ...requests.map((request) => written((writer) => encodeRequest(writer, request, self))),
  written((writer) => encodeExtensionCall(writer, { method: "cluster", body: utf8("{}") }, self)),
];

/** hashicorp's; some hold numbers that no log of ours reaches, and are refused for that. */
const goRequests: readonly Uint8Array[] = vectors
  .filter(({ kind, decodeError }) => kind === "request" && !decodeError)
  .map(({ hex, stream = "" }) => concatBytes([hexBytes(hex), hexBytes(stream)]));

/** A connection's own limit is a gibibyte, of which it reserves what a peer announces. */
const streamMaxBytes = 64 * 1024;

type Read =
  | { readonly kind: "message"; readonly message: RequestMessage }
  | { readonly kind: "extension"; readonly method: Uint8Array | null }
  /** Of a member of another chain, which a connection refuses; what it asks is read all the same. */
  | { readonly kind: "foreign" };

interface ReadStream {
  readonly read: readonly Read[];
  /** null if nothing was wrong. */
  readonly error: unknown;
}

/** As a connection reads: until the first frame that is none. */
function readRequests(pieces: readonly Uint8Array[]): ReadStream {
  const reader = new FrameReader("request", streamMaxBytes);
  const read: Read[] = [];
  let snapshot: Exclude<ReturnType<typeof decodeRequest>, { rpc: "extension" }> | null = null;
  try {
    for (const piece of pieces) {
      reader.push(piece);
      for (let frame = reader.next(); frame !== null; frame = reader.next()) {
        if (frame.type === null) {
          if (snapshot === null) throw new Defect("a stream that nothing announced");
          read.push({ kind: "message", message: messageOf(snapshot, envelope, frame.bytes) });
          snapshot = null;
          continue;
        }
        const request = decodeRequest(frame.type, frame.bytes);
        senderAddress(request);
        if (isForeign(request, chain)) read.push({ kind: "foreign" });
        if (request.rpc === "extension") {
          read.push({ kind: "extension", method: request.body.Method });
        } else if (request.rpc === "installSnapshot") {
          const { Size } = request.body;
          // Refused, and the connection closed.
          if (typeof Size === "bigint" || Size < 0 || Size > streamMaxBytes)
            return { read, error: null };
          snapshot = request;
          reader.expectStream(Size);
        } else {
          const message = messageOf(request, envelope, new Uint8Array(0));
          read.push({ kind: "message", message });
        }
      }
    }
  } catch (error) {
    return { read, error };
  }
  return { read, error: null };
}

/** In one piece, and cut as the input's own bytes say: both read the same. */
function checkRequests(input: Uint8Array): Outcome {
  const whole = readRequests([input]);
  if (whole.error !== null && !isBadFrame(whole.error)) throw whole.error;
  const cut = readRequests(piecesOf(input));
  if (cut.error !== null && !isBadFrame(cut.error)) throw cut.error;
  if (!isDeepStrictEqual(whole.read, cut.read) || (whole.error === null) !== (cut.error === null)) {
    throw new Defect("reads otherwise in pieces");
  }
  for (const item of whole.read) if (item.kind === "message") checkMessage(item.message);
  return whole.error === null && whole.read.length > 0 ? "taken" : "refused";
}

function checkMessage(message: RequestMessage): void {
  const frame = written((writer) => encodeRequest(writer, message, self));
  const again = readRequests([frame]).read;
  if (isHeartbeatLike(message)) return;
  const expected: readonly Read[] = [{ kind: "message", message }];
  if (!isDeepStrictEqual(again, expected)) throw new Defect("changes when it is written and read");
}

/** Without its sender's address it is no heartbeat, and with ours it is one. */
function isHeartbeatLike(message: RequestMessage): boolean {
  return (
    message.kind === "appendEntriesRequest" &&
    message.prev.index === 0 &&
    message.prev.term === 0 &&
    message.entries.length === 0 &&
    message.leaderCommit === 0
  );
}

export function piecesOf(input: Uint8Array): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < input.length; turn++) {
    const size = 1 + ((input[(turn * 7) % input.length] ?? 0) % 97);
    pieces.push(input.slice(at, at + size));
    at += size;
  }
  return pieces;
}

function isBadFrame(error: unknown): boolean {
  return error instanceof TransportError && error.code === "TRANSPORT_BAD_FRAME";
}

/** The first byte says what was asked; the frame follows. */
const responseSeeds: readonly Uint8Array[] = [
  ...requests.map((request, at) => {
    const answer = answerTo(request);
    if (!answer.kind.endsWith("Response")) throw new Error("a request is answered by a response");
    return headed(at, (writer) => encodeResponse(writer, answer as ResponseMessage, peer));
  }),
  headed(3, (writer) => encodeRefusal(writer, "unexpected command")),
  headed(6, (writer) => encodeExtensionAnswer(writer, { status: 200, body: utf8("{}") }, peer)),
];

function headed(at: number, write: (writer: MsgpackWriter) => readonly Uint8Array[]): Uint8Array {
  return concatBytes([Uint8Array.of(at), written(write)]);
}

function checkResponse(input: Uint8Array): Outcome {
  const request = requests[(input[0] ?? 0) % (requests.length + 1)];
  const reader = new FrameReader("response", streamMaxBytes);
  try {
    reader.push(input.subarray(1));
    const frame = reader.next();
    if (frame === null) return "refused";
    if (request === undefined) decodeExtensionAnswer(frame.bytes, "node-b");
    else decodeResponse(frame.bytes, request, peer.chain);
    return "taken";
  } catch (error) {
    if (isBadFrame(error)) return "refused";
    throw error;
  }
}

const structs: readonly ((input: Uint8Array) => Outcome)[] = [
  checkStruct(wire.log),
  checkStruct(wire.server),
  checkStruct(wire.configuration),
  checkStruct(wire.appendEntriesRequest),
  checkStruct(wire.appendEntriesResponse),
  checkStruct(wire.requestVoteRequest),
  checkStruct(wire.requestVoteResponse),
  checkStruct(wire.requestPreVoteRequest),
  checkStruct(wire.requestPreVoteResponse),
  checkStruct(wire.installSnapshotRequest),
  checkStruct(wire.installSnapshotResponse),
  checkStruct(wire.timeoutNowRequest),
  checkStruct(wire.extensionRequest),
  checkStruct(wire.extensionResponse),
];

/** `wire.struct`, whatever its fields: what it reads it writes, and reads alike. */
function checkStruct<T>(struct: {
  read(reader: MsgpackReader): T;
  write(writer: MsgpackWriter, value: T): void;
}): (input: Uint8Array) => Outcome {
  return checkCodec<T>({
    decode: (input) => struct.read(new MsgpackReader(input)),
    encode: (value) =>
      written((writer) => {
        struct.write(writer, value);
        return writer.finish();
      }),
    isRefusal: isBadFrame,
  });
}

function checkStructs(input: Uint8Array): Outcome {
  const check = structs[(input[0] ?? 0) % structs.length];
  if (check === undefined) throw new Error("there are structures");
  return check(input.subarray(1));
}

/** Of each type byte, where its structure is in the list. */
const structOfRequest = new Map([
  [0x00, 3],
  [0x01, 5],
  [0x04, 7],
  [0x02, 9],
  [0x03, 11],
  [0x45, 12],
]);

/** The first byte says which structure; each in both forms that Go reads, a map and an array. */
const structSeeds: readonly Uint8Array[] = [
  headed(0, (writer) => {
    const appendedAt = new Uint8Array(15).fill(1);
    const entry = { index: 1, term: 1, kind: "command", appendedAt } as const;
    wire.log.write(writer, entryFields({ ...entry, data: utf8("k=v"), extensions: null }));
    return writer.finish();
  }),
  Uint8Array.from([1, 0x93, 0x01, 0xa1, 0x61, 0xa1, 0x62]),
  concatBytes([Uint8Array.of(2), encodeConfiguration(configuration)]),
  ...[...ourRequests, ...goRequests].flatMap(([type = 0, ...rest]) => {
    const at = structOfRequest.get(type);
    return at === undefined ? [] : [Uint8Array.from([at, ...rest])];
  }),
  Uint8Array.from([4, 0x9a, 3, 0xc0, 0xc0, 5, 9, 0xc3, 0xc2, 0xc3, 7, 0xff]),
  Uint8Array.from([8, 0x99, 3, 0xc0, 0xc0, 5, 0xc3, 2, 9, 7, 1]),
  Uint8Array.from([13, 0x95, 3, 0xc0, 0xc0, 0xcc, 0xc8, 0xa2, 0x7b, 0x7d]),
];

export const transportTargets: readonly Target[] = [
  {
    name: "raft-requests",
    shape: msgpack(1),
    seeds: [...ourRequests, ...goRequests.filter((seed) => checkRequests(seed) === "taken")],
    check: checkRequests,
    share: 4,
  },
  {
    name: "raft-responses",
    shape: msgpack(1),
    seeds: responseSeeds,
    check: checkResponse,
    share: 4,
  },
  { name: "raft-structs", shape: msgpack(1), seeds: structSeeds, check: checkStructs, share: 4 },
  {
    name: "raft-configuration",
    shape: msgpack(),
    seeds: [
      encodeConfiguration(configuration),
      encodeConfiguration({ servers: [] }),
      ...vectors
        .filter(({ kind, decodeError }) => kind === "configuration" && !decodeError)
        .map(({ hex }) => hexBytes(hex)),
    ],
    check: checkCodec({
      decode: decodeConfiguration,
      encode: encodeConfiguration,
      isRefusal: isBadFrame,
    }),
    share: 4,
  },
  {
    name: "raft-address",
    shape: json,
    seeds: ["10.0.0.1:5001", "[fd00::1]:5001", ":5001", "node-1.example:0"].map(utf8),
    check: (input) => {
      try {
        parseEndpoint(textOf(input), "raft.raft_addr");
        return "taken";
      } catch (error) {
        if (error instanceof TransportError && error.code === "TRANSPORT_BAD_ADDRESS") {
          return "refused";
        }
        throw error;
      }
    },
  },
];
