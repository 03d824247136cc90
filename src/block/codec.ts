/**
 * Blocks as ev-node's bytes. Encoding is canonical: hashes and signatures are over it, so one wrong
 * byte forks the chain. Decoding takes any field order and skips what
 * it does not know; decoded byte arrays share memory with the input. Decoders throw BlockError.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { entrySizeMaxBytes } from "../base/limits.ts";
import { badField, overLimit } from "./errors.ts";
import {
  type Data as DataMessage,
  DataSchema,
  HeaderSchema,
  MetadataSchema,
  type RaftBlockState,
  RaftBlockStateSchema,
  type SignedHeader as SignedHeaderMessage,
  SignedHeaderSchema,
} from "./gen/evnode/v1/block_pb.ts";
import {
  dataMaxBytes,
  signedHeaderMaxBytes,
  transactionsPerBlockMax,
  txIdMaxBytes,
} from "./limits.ts";
import {
  headerFrom,
  headerMessage,
  metadataFrom,
  metadataMessage,
  signerFrom,
  signerMessage,
} from "./messages.ts";
import type { BlockPayload, Data, Header, Metadata, SignedHeader } from "./types.ts";
import { fromCount, limitElements, parse, short, toCount } from "./wire.ts";

/** What is hashed and signed. */
export function encodeHeader(header: Header): Uint8Array {
  return toBinary(HeaderSchema, headerMessage(header));
}

export function decodeHeader(bytes: Uint8Array): Header {
  const what = "block header";
  const maxBytes = signedHeaderMaxBytes;
  return headerFrom(parse(HeaderSchema, bytes, { what, maxBytes, readUnknownFields: true }));
}

export function encodeSignedHeader(signed: SignedHeader): Uint8Array {
  return toBinary(SignedHeaderSchema, signedHeaderMessage(signed));
}

export function decodeSignedHeader(bytes: Uint8Array): SignedHeader {
  const what = "signed header";
  const maxBytes = signedHeaderMaxBytes;
  return signedHeaderFrom(
    parse(SignedHeaderSchema, bytes, { what, maxBytes, readUnknownFields: true }),
  );
}

export function encodeMetadata(metadata: Metadata): Uint8Array {
  return toBinary(MetadataSchema, metadataMessage(metadata));
}

export function decodeMetadata(bytes: Uint8Array): Metadata {
  const what = "block's metadata";
  return metadataFrom(parse(MetadataSchema, bytes, { what, maxBytes: signedHeaderMaxBytes }));
}

export function encodeData(data: Data): Uint8Array {
  return toBinary(DataSchema, dataMessage(data));
}

export function decodeData(bytes: Uint8Array): Data {
  const what = "block's data";
  limitElements(bytes, DataSchema.field.txs.number, {
    what,
    field: "txs",
    limit: transactionsPerBlockMax,
  });
  return dataFrom(parse(DataSchema, bytes, { what, maxBytes: dataMaxBytes }));
}

/** The payload of a block's log entry, which is also the content of a snapshot. */
export function encodeBlockPayload(payload: BlockPayload): Uint8Array {
  return toBinary(
    RaftBlockStateSchema,
    create(RaftBlockStateSchema, {
      height: fromCount(payload.height, "height"),
      lastSubmittedDaHeaderHeight: fromCount(
        payload.lastSubmittedDaHeaderHeight,
        "last_submitted_da_header_height",
      ),
      lastSubmittedDaDataHeight: fromCount(
        payload.lastSubmittedDaDataHeight,
        "last_submitted_da_data_height",
      ),
      hash: payload.hash,
      timestamp: payload.timestampNs,
      header: encodeSignedHeader(payload.header),
      data: encodeData(payload.data),
      txIds: [...payload.txIds],
    }),
  );
}

export function decodeBlockPayload(bytes: Uint8Array): BlockPayload {
  const what = "block";
  limitElements(bytes, RaftBlockStateSchema.field.txIds.number, {
    what,
    field: "tx_ids",
    limit: transactionsPerBlockMax,
  });
  const message = parse(RaftBlockStateSchema, bytes, { what, maxBytes: entrySizeMaxBytes });
  return blockPayloadFrom(message, what);
}

/** Also of a snapshot, which has the same fields and one more. */
export function blockPayloadFrom(message: RaftBlockState, what: string): BlockPayload {
  checkTxIds(message.txIds, what);
  return {
    height: toCount(message.height, { what, field: "height" }),
    hash: short(message.hash, { what, field: "hash" }),
    timestampNs: message.timestamp,
    header: decodeSignedHeader(message.header),
    data: decodeData(message.data),
    txIds: message.txIds,
    lastSubmittedDaHeaderHeight: toCount(message.lastSubmittedDaHeaderHeight, {
      what,
      field: "last_submitted_da_header_height",
    }),
    lastSubmittedDaDataHeight: toCount(message.lastSubmittedDaDataHeight, {
      what,
      field: "last_submitted_da_data_height",
    }),
  };
}

/** Throws BlockError if one is too long, or there are more than a block can have. */
export function checkTxIds(txIds: readonly Uint8Array[], what: string): void {
  if (txIds.length > transactionsPerBlockMax) {
    const got = txIds.length;
    throw overLimit(what, "the number of tx_ids", { limit: transactionsPerBlockMax, got });
  }
  for (const id of txIds) {
    if (id.length <= txIdMaxBytes) continue;
    throw overLimit(what, "the length of a tx_id", { limit: txIdMaxBytes, got: id.length });
  }
}

function signedHeaderMessage(signed: SignedHeader): SignedHeaderMessage {
  return create(SignedHeaderSchema, {
    header: headerMessage(signed.header),
    signature: signed.signature,
    signer: signerMessage(signed.signer),
  });
}

/** Also of the p2p form, which has the same fields and one more. */
export function signedHeaderFrom(
  message: Pick<SignedHeaderMessage, "header" | "signature" | "signer">,
): SignedHeader {
  const what = "signed header";
  if (message.header === undefined) throw badField(what, "header", "is missing");
  return {
    header: headerFrom(message.header),
    signature: short(message.signature, { what, field: "signature" }),
    signer: signerFrom(message.signer),
  };
}

function dataMessage(data: Data): DataMessage {
  return create(DataSchema, {
    ...(data.metadata === null ? {} : { metadata: metadataMessage(data.metadata) }),
    txs: [...data.txs],
  });
}

export function dataFrom(message: Pick<DataMessage, "metadata" | "txs">): Data {
  return {
    metadata: message.metadata === undefined ? null : metadataFrom(message.metadata),
    txs: message.txs,
  };
}
