/** Responses: an error string and a structure, to and from the core's messages. */

import { unreachable } from "../base/assert.ts";
import type { RequestMessage, ResponseMessage } from "../raft/message.ts";
import type { ServerId } from "../raft/types.ts";
import { bytes } from "./codec.ts";
import { badFrame } from "./errors.ts";
import type { ExtensionAnswer } from "./extension.ts";
import {
  bytesOf,
  bytesOrEmpty,
  chainHeaderOf,
  headerOf,
  type Identity,
  readinessFields,
  readinessOf,
  safeInteger,
  standingFields,
  standingOf,
  textOf,
} from "./fields.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import type { MsgpackWriter } from "./msgpack-writer.ts";
import * as wire from "./wire-structs.ts";

export const unsupportedVersion = "operation not supported with current protocol version";
const unexpectedCommand = "unexpected command";
export const otherChain = "this node has another genesis.json: it is no member of your chain";

/** hashicorp leaves the header of these two responses empty. */
const emptyHeader: wire.WireHeader = { ProtocolVersion: 0, ID: null, Addr: null };

/** All keys are always there: a Go leader reuses one response object and would see stale values. */
export function encodeResponse(
  writer: MsgpackWriter,
  response: ResponseMessage,
  self: Identity,
): Uint8Array[] {
  writer.raw(noError);
  switch (response.kind) {
    case "appendEntriesResponse":
    case "heartbeatResponse":
      wire.appendEntriesResponse.write(writer, {
        ...headerOf(self),
        Term: response.term,
        LastLog: response.lastLogIndex,
        Success: response.success,
        NoRetryBackoff: response.kind === "appendEntriesResponse" && response.noRetryBackoff,
        ...readinessFields(response.readiness),
      });
      break;
    case "requestVoteResponse":
      wire.requestVoteResponse.write(writer, {
        ...headerOf(self),
        Term: response.term,
        Peers: null,
        Granted: response.granted,
      });
      break;
    case "requestPreVoteResponse":
      wire.requestPreVoteResponse.write(writer, {
        // Only who tells how it stands tells of which chain.
        ...(response.standing === undefined
          ? { ...headerOf(self), EvChain: undefined }
          : chainHeaderOf(self)),
        Term: response.term,
        Granted: response.granted,
        ...standingFields(response.standing),
      });
      break;
    case "installSnapshotResponse":
      wire.installSnapshotResponse.write(writer, {
        ...emptyHeader,
        Term: response.term,
        Success: response.success,
      });
      break;
    case "timeoutNowResponse":
      wire.timeoutNowResponse.write(writer, emptyHeader);
      break;
    default:
      unreachable(response);
  }
  return writer.finish();
}

const noError = new Uint8Array(0);

/** A request that is refused before the core sees it: an error string and nil. */
export function encodeRefusal(writer: MsgpackWriter, error: string): Uint8Array[] {
  writer.raw(bytesOf(error));
  writer.nil();
  return writer.finish();
}

export function encodeExtensionAnswer(
  writer: MsgpackWriter,
  answer: ExtensionAnswer,
  self: Identity,
): Uint8Array[] {
  writer.raw(noError);
  wire.extensionResponse.write(writer, {
    ...headerOf(self),
    Status: answer.status,
    Body: answer.body,
  });
  return writer.finish();
}

export type DecodedResponse =
  | { readonly kind: "message"; readonly message: ResponseMessage }
  /** The peer's error string: the RPC failed, whatever else the response says. */
  | { readonly kind: "error"; readonly error: string };

/**
 * The answer to `request`, with the fields that the wire does not carry taken from it. Throws a
 * bad-frame error on bytes that are none.
 */
export function decodeResponse(
  frame: Uint8Array,
  request: RequestMessage,
  chain: Uint8Array | null,
): DecodedResponse {
  const reader = new MsgpackReader(frame);
  const error = textOf(bytes.read(reader));
  if (error !== "") return answerToError(request, error);
  return { kind: "message", message: readResponse(reader, request, chain) };
}

export function decodeExtensionAnswer(
  frame: Uint8Array,
  peerId: ServerId,
): ExtensionAnswer | { readonly error: string } {
  const reader = new MsgpackReader(frame);
  const error = textOf(bytes.read(reader));
  if (error !== "") return { error };
  const { ID, Status, Body } = wire.extensionResponse.read(reader);
  checkAnswerer(ID, peerId);
  return { status: safeInteger(Status, "Status"), body: bytesOrEmpty(Body) };
}

/**
 * A node without pre-vote that says so has refused: hashicorp counts it as a grant, but then a
 * disturbing campaign would be granted by exactly those that cannot judge it.
 */
function answerToError(request: RequestMessage, error: string): DecodedResponse {
  if (request.kind !== "requestPreVoteRequest" || !error.includes(unexpectedCommand)) {
    return { kind: "error", error };
  }
  const { term } = request;
  return {
    kind: "message",
    message: { kind: "requestPreVoteResponse", ...envelopeOf(request), term, granted: false },
  };
}

function readResponse(
  reader: MsgpackReader,
  request: RequestMessage,
  chain: Uint8Array | null,
): ResponseMessage {
  const envelope = envelopeOf(request);
  switch (request.kind) {
    case "heartbeatRequest": {
      const body = wire.appendEntriesResponse.read(reader);
      checkAnswerer(body.ID, request.to);
      return {
        kind: "heartbeatResponse",
        ...envelope,
        term: safeInteger(body.Term, "Term"),
        success: body.Success,
        lastLogIndex: safeInteger(body.LastLog, "LastLog"),
        sentAtMs: request.sentAtMs,
        ...readinessOf(body),
      };
    }
    case "appendEntriesRequest": {
      const body = wire.appendEntriesResponse.read(reader);
      checkAnswerer(body.ID, request.to);
      return {
        kind: "appendEntriesResponse",
        ...envelope,
        term: safeInteger(body.Term, "Term"),
        success: body.Success,
        lastLogIndex: safeInteger(body.LastLog, "LastLog"),
        noRetryBackoff: body.NoRetryBackoff,
        matchIndex: request.prev.index + request.entries.length,
        prevLogIndex: request.prev.index,
        sentAtMs: request.sentAtMs,
        ...readinessOf(body),
      };
    }
    case "requestVoteRequest": {
      const body = wire.requestVoteResponse.read(reader);
      checkAnswerer(body.ID, request.to);
      const term = safeInteger(body.Term, "Term");
      return { kind: "requestVoteResponse", ...envelope, term, granted: body.Granted };
    }
    case "requestPreVoteRequest": {
      const body = wire.requestPreVoteResponse.read(reader);
      checkAnswerer(body.ID, request.to);
      return {
        kind: "requestPreVoteResponse",
        ...envelope,
        term: safeInteger(body.Term, "Term"),
        granted: body.Granted,
        ...standingOf(body, chain),
      };
    }
    case "installSnapshotRequest": {
      const body = wire.installSnapshotResponse.read(reader);
      checkAnswerer(body.ID, request.to);
      return {
        kind: "installSnapshotResponse",
        ...envelope,
        term: safeInteger(body.Term, "Term"),
        success: body.Success,
        snapshotIndex: request.snapshot.last.index,
      };
    }
    case "timeoutNowRequest":
      checkAnswerer(wire.timeoutNowResponse.read(reader).ID, request.to);
      return { kind: "timeoutNowResponse", ...envelope };
    default:
      return unreachable(request);
  }
}

/**
 * A request does not say whom it is for. Where addresses are given out anew, another member may answer at that of
 * one which is away, and would be counted as two. hashicorp leaves some headers empty: those prove nothing.
 */
function checkAnswerer(id: Uint8Array | null, peerId: ServerId): void {
  const answerer = textOf(bytesOrEmpty(id));
  if (answerer === "" || answerer === peerId) return;
  throw badFrame(`${answerer} answers at the address of ${peerId}`);
}

function envelopeOf(request: RequestMessage) {
  return { from: request.to, to: request.from, id: request.id };
}
