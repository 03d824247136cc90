/** Requests: the core's messages to frames, and frames to messages. */

import { unreachable } from "../base/assert.ts";
import { isConfigurationEntry } from "../raft/membership.ts";
import type { AppendEntriesRequest, RequestMessage } from "../raft/message.ts";
import type { Entry, EntryId, ServerId } from "../raft/types.ts";
import { decodeConfiguration, encodeConfiguration } from "./configuration.ts";
import { badFrame } from "./errors.ts";
import type { ExtensionCall } from "./extension.ts";
import {
  bytesOf,
  bytesOrEmpty,
  chainHeaderOf,
  entryFields,
  entryOf,
  headerOf,
  type Identity,
  isOtherChain,
  readinessFields,
  readinessOf,
  safeInteger,
  textOf,
} from "./fields.ts";
import { MsgpackReader } from "./msgpack-reader.ts";
import type { MsgpackWriter } from "./msgpack-writer.ts";
import * as wire from "./wire-structs.ts";

/** A decoded frame, not yet known to come from a member. */
export type WireRequest =
  | { readonly rpc: "appendEntries"; readonly body: wire.WireAppendEntriesRequest }
  | { readonly rpc: "requestVote"; readonly body: wire.WireRequestVoteRequest }
  | { readonly rpc: "installSnapshot"; readonly body: wire.WireInstallSnapshotRequest }
  | { readonly rpc: "timeoutNow"; readonly body: wire.WireChainHeader }
  | { readonly rpc: "requestPreVote"; readonly body: wire.WireRequestPreVoteRequest }
  | { readonly rpc: "extension"; readonly body: wire.WireExtensionRequest };

/** The frame of a request; for InstallSnapshot with the raw snapshot bytes behind it. */
export function encodeRequest(
  writer: MsgpackWriter,
  request: RequestMessage,
  self: Identity,
): Uint8Array[] {
  const header = chainHeaderOf(self);
  switch (request.kind) {
    case "heartbeatRequest":
      writer.byte(wire.rpcType.appendEntries);
      wire.appendEntriesRequest.write(writer, {
        ...header,
        Term: request.term,
        Leader: self.address,
        PrevLogEntry: 0,
        PrevLogTerm: 0,
        Entries: null,
        LeaderCommitIndex: 0,
      });
      break;
    case "appendEntriesRequest":
      writer.byte(wire.rpcType.appendEntries);
      wire.appendEntriesRequest.write(writer, {
        ...header,
        Term: request.term,
        Leader: self.address,
        PrevLogEntry: request.prev.index,
        PrevLogTerm: request.prev.term,
        Entries: request.entries.map(entryFields),
        LeaderCommitIndex: request.leaderCommit,
      });
      break;
    case "requestVoteRequest":
      writer.byte(wire.rpcType.requestVote);
      wire.requestVoteRequest.write(writer, {
        ...header,
        Term: request.term,
        Candidate: self.address,
        LastLogIndex: request.last.index,
        LastLogTerm: request.last.term,
        LeadershipTransfer: request.leadershipTransfer,
      });
      break;
    case "requestPreVoteRequest":
      writer.byte(wire.rpcType.requestPreVote);
      wire.requestPreVoteRequest.write(writer, {
        ...header,
        Term: request.term,
        LastLogIndex: request.last.index,
        LastLogTerm: request.last.term,
        ...readinessFields(request.readiness),
      });
      break;
    case "timeoutNowRequest":
      writer.byte(wire.rpcType.timeoutNow);
      wire.timeoutNowRequest.write(writer, header);
      break;
    case "installSnapshotRequest": {
      const { snapshot } = request;
      writer.byte(wire.rpcType.installSnapshot);
      wire.installSnapshotRequest.write(writer, {
        ...header,
        SnapshotVersion: 1,
        Term: request.term,
        Leader: self.address,
        LastLogIndex: snapshot.last.index,
        LastLogTerm: snapshot.last.term,
        Peers: null,
        Configuration: encodeConfiguration(snapshot.configuration),
        ConfigurationIndex: snapshot.configurationIndex,
        Size: snapshot.data.length,
      });
      writer.verbatim(snapshot.data);
      break;
    }
    default:
      unreachable(request);
  }
  return writer.finish();
}

export function encodeExtensionCall(
  writer: MsgpackWriter,
  call: ExtensionCall,
  self: Identity,
): Uint8Array[] {
  writer.byte(wire.rpcType.extension);
  wire.extensionRequest.write(writer, {
    ...headerOf(self),
    Method: bytesOf(call.method),
    Body: call.body,
  });
  return writer.finish();
}

/** The request in a frame of the given type byte. Throws a bad-frame error where Go closes the connection. */
export function decodeRequest(type: number, frame: Uint8Array): WireRequest {
  const reader = new MsgpackReader(frame);
  switch (type) {
    case wire.rpcType.appendEntries:
      return { rpc: "appendEntries", body: wire.appendEntriesRequest.read(reader) };
    case wire.rpcType.requestVote:
      return { rpc: "requestVote", body: wire.requestVoteRequest.read(reader) };
    case wire.rpcType.installSnapshot:
      return { rpc: "installSnapshot", body: wire.installSnapshotRequest.read(reader) };
    case wire.rpcType.timeoutNow:
      return { rpc: "timeoutNow", body: wire.timeoutNowRequest.read(reader) };
    case wire.rpcType.requestPreVote:
      return { rpc: "requestPreVote", body: wire.requestPreVoteRequest.read(reader) };
    case wire.rpcType.extension:
      return { rpc: "extension", body: wire.extensionRequest.read(reader) };
    default:
      throw badFrame(`unknown request type 0x${type.toString(16).padStart(2, "0")}`);
  }
}

/** Whether an AppendEntries is answered from memory and skips the version check. */
export function isHeartbeat(request: wire.WireAppendEntriesRequest): boolean {
  return (
    request.Term !== 0 &&
    ((request.Addr !== null && request.Addr.length > 0) || request.Leader !== null) &&
    request.PrevLogEntry === 0 &&
    request.PrevLogTerm === 0 &&
    (request.Entries === null || request.Entries.length === 0) &&
    request.LeaderCommitIndex === 0
  );
}

/** The address the sender gives for itself; the deprecated fields serve senders older than the header's. */
export function senderAddress(request: WireRequest): string {
  const { Addr } = request.body;
  if (Addr !== null && Addr.length > 0) return textOf(Addr);
  switch (request.rpc) {
    case "appendEntries":
    case "installSnapshot":
      return textOf(request.body.Leader);
    case "requestVote":
      return textOf(request.body.Candidate);
    default:
      return "";
  }
}

/**
 * Whether the sender says that it is a member of another chain than `chain`, and may not be heard. What differs may be
 * asked in calls, and a server with an empty disk hears who has what, of whichever chain.
 */
export function isForeign(request: WireRequest, chain: Uint8Array | null): boolean {
  if (request.rpc === "extension") return false;
  if (request.rpc === "requestPreVote" && request.body.Term === 0) return false;
  return isOtherChain(chain, request.body.EvChain);
}

interface Envelope {
  readonly from: ServerId;
  readonly to: ServerId;
  readonly id: number;
}

/**
 * The message in a request. `stream` is what followed an InstallSnapshot. Throws a bad-frame error on
 * values that no core can work with: numbers beyond 2^53 - 1, unknown entry types, a broken configuration.
 */
export function messageOf(
  request: Exclude<WireRequest, { rpc: "extension" }>,
  envelope: Envelope,
  stream: Uint8Array,
): RequestMessage {
  switch (request.rpc) {
    case "appendEntries":
      return appendEntriesOf(request.body, envelope);
    case "requestVote":
      return {
        kind: "requestVoteRequest",
        ...envelope,
        term: safeInteger(request.body.Term, "Term"),
        last: lastOf(request.body),
        leadershipTransfer: request.body.LeadershipTransfer,
      };
    case "requestPreVote":
      return {
        kind: "requestPreVoteRequest",
        ...envelope,
        term: safeInteger(request.body.Term, "Term"),
        last: lastOf(request.body),
        ...readinessOf(request.body),
      };
    case "timeoutNow":
      return { kind: "timeoutNowRequest", ...envelope };
    case "installSnapshot":
      return {
        kind: "installSnapshotRequest",
        ...envelope,
        term: safeInteger(request.body.Term, "Term"),
        snapshot: {
          last: lastOf(request.body),
          configuration: decodeConfiguration(bytesOrEmpty(request.body.Configuration)),
          configurationIndex: safeInteger(request.body.ConfigurationIndex, "ConfigurationIndex"),
          data: stream,
        },
      };
    default:
      return unreachable(request);
  }
}

function appendEntriesOf(body: wire.WireAppendEntriesRequest, envelope: Envelope): RequestMessage {
  const term = safeInteger(body.Term, "Term");
  if (isHeartbeat(body)) return { kind: "heartbeatRequest", ...envelope, term, sentAtMs: 0 };
  const request: AppendEntriesRequest = {
    kind: "appendEntriesRequest",
    ...envelope,
    term,
    prev: {
      index: safeInteger(body.PrevLogEntry, "PrevLogEntry"),
      term: safeInteger(body.PrevLogTerm, "PrevLogTerm"),
    },
    entries: (body.Entries ?? []).map(checkedEntryOf),
    leaderCommit: safeInteger(body.LeaderCommitIndex, "LeaderCommitIndex"),
    sentAtMs: 0,
  };
  checkContiguous(request);
  return request;
}

/** A configuration counts from the moment it is in the log, so a broken one must not get there. */
function checkedEntryOf(wireEntry: wire.WireLog): Entry {
  const entry = entryOf(wireEntry);
  if (isConfigurationEntry(entry)) decodeConfiguration(bytesOrEmpty(entry.data));
  return entry;
}

/** hashicorp sends entries as they follow one another in the log; anything else is no AppendEntries. */
function checkContiguous(request: AppendEntriesRequest): void {
  let expected = request.prev.index + 1;
  for (const entry of request.entries) {
    if (entry.index !== expected) {
      throw badFrame(`entry ${entry.index} where ${expected} should follow`);
    }
    expected++;
  }
}

function lastOf(body: {
  readonly LastLogIndex: wire.WireInstallSnapshotRequest["LastLogIndex"];
  readonly LastLogTerm: wire.WireInstallSnapshotRequest["LastLogTerm"];
}): EntryId {
  return {
    index: safeInteger(body.LastLogIndex, "LastLogIndex"),
    term: safeInteger(body.LastLogTerm, "LastLogTerm"),
  };
}
