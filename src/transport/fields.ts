/** Fields that many structures share, between the wire's types and the core's. */

import { assert } from "../base/assert.ts";
import { emptyBytes, equalBytes } from "../base/bytes.ts";
import type { Entry, EntryKind, Readiness, Standing } from "../raft/types.ts";
import { badFrame } from "./errors.ts";
import { isGoTime, zeroGoTime } from "./go-time.ts";
import type { WireInteger } from "./msgpack-writer.ts";
import type {
  WireChainHeader,
  WireHeader,
  WireLog,
  WireReadiness,
  WireStanding,
} from "./wire-structs.ts";

/** hashicorp's protocol version 3; a receiver of version 3 also takes 2. */
export const protocolVersion = 3;

/** What this node puts into the header of what it sends. */
export interface Identity {
  readonly id: Uint8Array;
  readonly address: Uint8Array;
  /** Of which chain this node is a member; null where that is not told. */
  readonly chain: Uint8Array | null;
}

const utf8 = new TextEncoder();

export function identityOf(id: string, address: string, chain: Uint8Array | null): Identity {
  return { id: utf8.encode(id), address: utf8.encode(address), chain };
}

export function headerOf(self: Identity): WireHeader {
  return { ProtocolVersion: protocolVersion, ID: self.id, Addr: self.address };
}

export function chainHeaderOf(self: Identity): WireChainHeader {
  return { ...headerOf(self), EvChain: self.chain ?? undefined };
}

/** Text in a `[]byte` field. What is no UTF-8 reads as text that names nobody. */
export function textOf(bytes: Uint8Array | null): string {
  if (bytes === null || bytes.length === 0) return "";
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

export function bytesOf(text: string): Uint8Array {
  return utf8.encode(text);
}

/** A term, index or height. Throws a bad-frame error beyond 2^53 - 1, which no honest log reaches. */
export function safeInteger(value: WireInteger, field: string): number {
  if (typeof value === "bigint") throw badFrame(`${field} is ${value}, beyond 2^53 - 1`);
  return value;
}

export function readinessFields(readiness: Readiness | undefined): WireReadiness {
  if (readiness === undefined) return absentReadiness;
  return {
    EvReady: readiness.isReady,
    EvHeight: readiness.appliedHeight,
    EvPriority: readiness.priority,
  };
}

/** To be spread into a message: nothing where a (Go) peer sent none. */
export function readinessOf(wire: WireReadiness): { readiness?: Readiness } {
  if (wire.EvReady === undefined) return {};
  return {
    readiness: {
      isReady: wire.EvReady,
      appliedHeight: safeInteger(wire.EvHeight ?? 0, "EvHeight"),
      priority: safeInteger(wire.EvPriority ?? 0, "EvPriority"),
    },
  };
}

const absentReadiness: WireReadiness = {
  EvReady: undefined,
  EvHeight: undefined,
  EvPriority: undefined,
};

/** Kinds of memory at the number that the wire has for them. */
const memories: readonly Standing["memory"][] = ["none", "partial", "whole"];

export function standingFields(standing: Standing | undefined): WireStanding {
  return {
    EvMemory: standing === undefined ? undefined : memories.indexOf(standing.memory),
    EvLast: standing?.lastLogIndex,
    EvHeight: standing?.height,
    EvBase: standing?.baseHeight,
  };
}

/** Whether both are told, and differ. */
export function isOtherChain(
  own: Uint8Array | null,
  theirs: Uint8Array | null | undefined,
): boolean {
  return own !== null && theirs !== null && theirs !== undefined && !equalBytes(own, theirs);
}

/** To be spread into a message. A memory of an unknown kind is no standing that could be built on. */
export function standingOf(
  wire: WireStanding & Pick<WireChainHeader, "EvChain">,
  chain: Uint8Array | null,
): { standing?: Standing } {
  const memory = memories[wire.EvMemory ?? memories.length];
  if (memory === undefined) return {};
  return {
    standing: {
      memory,
      lastLogIndex: safeInteger(wire.EvLast ?? 0, "EvLast"),
      height: safeInteger(wire.EvHeight ?? 0, "EvHeight"),
      baseHeight: safeInteger(wire.EvBase ?? 0, "EvBase"),
      ...(isOtherChain(chain, wire.EvChain) && { isOfOtherChain: true }),
    },
  };
}

/** Entry kinds at hashicorp's number for them. */
const entryKinds: readonly EntryKind[] = [
  "command",
  "noop",
  "addPeer",
  "removePeer",
  "barrier",
  "configuration",
];

export function entryFields(entry: Entry): WireLog {
  const { appendedAt } = entry;
  assert(appendedAt === null || isGoTime(appendedAt), "appendedAt is a Go time", {
    index: entry.index,
  });
  return {
    Index: entry.index,
    Term: entry.term,
    Type: entryKinds.indexOf(entry.kind),
    Data: entry.data,
    Extensions: entry.extensions,
    AppendedAt: appendedAt ?? zeroGoTime,
  };
}

/** Throws a bad-frame error on a type that would crash a Go node. */
export function entryOf(wire: WireLog): Entry {
  const kind = entryKinds[wire.Type];
  if (kind === undefined) throw badFrame(`entry ${wire.Index} is of unknown type ${wire.Type}`);
  const { AppendedAt } = wire;
  return {
    index: safeInteger(wire.Index, "Index"),
    term: safeInteger(wire.Term, "Term"),
    kind,
    data: wire.Data,
    extensions: wire.Extensions,
    appendedAt: AppendedAt === null || equalBytes(AppendedAt, zeroGoTime) ? null : AppendedAt,
  };
}

/** Bytes where nil and empty mean the same. */
export function bytesOrEmpty(bytes: Uint8Array | null): Uint8Array {
  return bytes ?? emptyBytes;
}
