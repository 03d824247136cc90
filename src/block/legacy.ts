/**
 * Three hashes that headers had in ev-node's first releases. Chains that old still carry them: they
 * travel behind the known fields, and a header that has one is hashed in the encoding of that time.
 */

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { emptyBytes } from "../base/bytes.ts";
import { badField, malformed, overLimit } from "./errors.ts";
import type { Header as HeaderMessage } from "./gen/evnode/v1/block_pb.ts";
import { unknownFieldsMaxBytes } from "./limits.ts";
import type { LegacyHashes } from "./types.ts";
import { short } from "./wire.ts";

type UnknownFields = NonNullable<HeaderMessage["$unknown"]>;

const fieldNames = new Map<number, keyof LegacyHashes>([
  [5, "lastCommitHash"],
  [7, "consensusHash"],
  [9, "lastResultsHash"],
]);

const what = "block header";

/** The legacy hashes among a header's unknown fields; the others are dropped. Null if it has none. */
export function legacyFromUnknown(unknown: UnknownFields | undefined): LegacyHashes | null {
  if (unknown === undefined) return null;
  const size = unknown.reduce((sum, field) => sum + field.data.length, 0);
  if (size > unknownFieldsMaxBytes) {
    throw overLimit(what, "size of unknown fields", { limit: unknownFieldsMaxBytes, got: size });
  }
  const found = {
    lastCommitHash: emptyBytes,
    consensusHash: emptyBytes,
    lastResultsHash: emptyBytes,
  };
  for (const { no, wireType, data } of unknown) {
    const field = fieldNames.get(no);
    if (field === undefined) continue;
    if (wireType !== WireType.LengthDelimited) throw badField(what, field, "is not a hash");
    found[field] = short(readBytes(data), { what, field });
  }
  return hasAny(found) ? found : null;
}

/** As unknown fields, which protobuf writes behind the known ones, in the order 5, 7, 9. */
export function legacyToUnknown(legacy: LegacyHashes | undefined): UnknownFields | undefined {
  if (legacy === undefined || !hasAny(legacy)) return undefined;
  const fields: UnknownFields = [];
  for (const [no, name] of fieldNames) {
    const hash = legacy[name];
    if (hash.length === 0) continue;
    const data = new BinaryWriter().bytes(hash).finish();
    fields.push({ no, wireType: WireType.LengthDelimited, data });
  }
  return fields;
}

export function hasAny(legacy: LegacyHashes): boolean {
  return (
    legacy.lastCommitHash.length + legacy.consensusHash.length + legacy.lastResultsHash.length > 0
  );
}

function readBytes(data: Uint8Array): Uint8Array {
  try {
    return new BinaryReader(data).bytes();
  } catch (cause) {
    throw malformed(what, cause);
  }
}
