/** Our types to generated messages and back. Everything from outside is checked here. */

import { create } from "@bufbuild/protobuf";
import { badField } from "./errors.ts";
import {
  type Header as HeaderMessage,
  HeaderSchema,
  type Metadata as MetadataMessage,
  MetadataSchema,
  type Signer as SignerMessage,
  SignerSchema,
  type Version as VersionMessage,
  VersionSchema,
} from "./gen/evnode/v1/block_pb.ts";
import { legacyFromUnknown, legacyToUnknown } from "./legacy.ts";
import { chainIdMaxBytes } from "./limits.ts";
import type { Header, Metadata, Signer, Version } from "./types.ts";
import { fromCount, short, toCount } from "./wire.ts";

/** Always set, so that the version {0, 0} is written as an empty message, and hashed as one. */
export function versionMessage(version: Version): VersionMessage {
  return create(VersionSchema, {
    block: fromCount(version.block, "version.block"),
    app: fromCount(version.app, "version.app"),
  });
}

export function versionFrom(message: VersionMessage | undefined, what: string): Version {
  return {
    block: toCount(message?.block ?? 0n, { what, field: "version.block" }),
    app: toCount(message?.app ?? 0n, { what, field: "version.app" }),
  };
}

export function headerMessage(header: Header): HeaderMessage {
  const message = create(HeaderSchema, {
    version: versionMessage(header.version),
    height: fromCount(header.height, "height"),
    time: header.timeNs,
    lastHeaderHash: header.lastHeaderHash,
    dataHash: header.dataHash,
    appHash: header.appHash,
    proposerAddress: header.proposerAddress,
    validatorHash: header.validatorHash,
    chainId: header.chainId,
  });
  const legacy = legacyToUnknown(header.legacy);
  if (legacy !== undefined) message.$unknown = legacy;
  return message;
}

export function headerFrom(message: HeaderMessage): Header {
  const what = "block header";
  const legacy = legacyFromUnknown(message.$unknown);
  return {
    version: versionFrom(message.version, what),
    height: toCount(message.height, { what, field: "height" }),
    timeNs: message.time,
    lastHeaderHash: short(message.lastHeaderHash, { what, field: "last_header_hash" }),
    dataHash: short(message.dataHash, { what, field: "data_hash" }),
    appHash: short(message.appHash, { what, field: "app_hash" }),
    proposerAddress: short(message.proposerAddress, { what, field: "proposer_address" }),
    validatorHash: short(message.validatorHash, { what, field: "validator_hash" }),
    chainId: chainIdFrom(message.chainId, what),
    ...(legacy === null ? {} : { legacy }),
  };
}

/** Always set, even when empty, as ev-node's encoder does. */
export function signerMessage(signer: Signer): SignerMessage {
  return create(SignerSchema, { address: signer.address, pubKey: signer.publicKey });
}

export function signerFrom(message: SignerMessage | undefined): Signer {
  const what = "block signer";
  return {
    address: short(message?.address ?? new Uint8Array(0), { what, field: "address" }),
    publicKey: short(message?.pubKey ?? new Uint8Array(0), { what, field: "pub_key" }),
  };
}

export function metadataMessage(metadata: Metadata): MetadataMessage {
  return create(MetadataSchema, {
    chainId: metadata.chainId,
    height: fromCount(metadata.height, "metadata.height"),
    time: metadata.timeNs,
    lastDataHash: metadata.lastDataHash,
  });
}

export function metadataFrom(message: MetadataMessage): Metadata {
  const what = "block's metadata";
  return {
    chainId: chainIdFrom(message.chainId, what),
    height: toCount(message.height, { what, field: "height" }),
    timeNs: message.time,
    lastDataHash: short(message.lastDataHash, { what, field: "last_data_hash" }),
  };
}

export function chainIdFrom(chainId: string, what: string): string {
  if (chainId.length > chainIdMaxBytes) {
    throw badField(what, "chain_id", `has ${chainId.length} characters`);
  }
  return chainId;
}
