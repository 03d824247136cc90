/** `GET /block/:height` and `GET /block?hash=`: a block with its signature, bytes in hexadecimal. */

import { z } from "zod";
import { fromHex } from "../base/bytes.ts";
import type { BlockReader, Header, Height, StoredBlock } from "../block/types.ts";
import { json, type Route } from "./answer.ts";
import { decode } from "./decode.ts";
import { hex, rfc3339Nano } from "./encoding.ts";
import { badRequest, Refusal } from "./errors.ts";

const querySchema = z.strictObject({
  height: z.string({ error: "must be given once" }).optional(),
  hash: z.string({ error: "must be given once" }).optional(),
});

const paramsSchema = z.object({ height: z.string() });

export function blockRoutes(blocks: BlockReader): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/block/:height",
      summary: "The block at a height, or `latest`",
      handle: (request) => {
        const { height } = decode(paramsSchema, request.params, "path");
        return json(blockJson(blockAt(blocks, parseHeight(height))));
      },
    },
    {
      method: "GET",
      path: "/block",
      shownAs: "/block?hash=",
      summary: "The block with a hash; also ?height=",
      handle: (request) => {
        const { height, hash } = decode(querySchema, request.query, "query");
        if (hash === undefined) {
          return json(blockJson(blockAt(blocks, parseHeight(height ?? "latest"))));
        }
        if (height === undefined) return json(blockJson(blockByHash(blocks, hash)));
        throw badRequest("A block is asked for by height or by hash, not by both.");
      },
    },
  ];
}

/** `latest`, or a number; throws a Refusal for anything else. */
export function parseHeight(text: string): Height | "latest" {
  if (text === "latest") return text;
  const height = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(height)) return height;
  throw badRequest(
    `${JSON.stringify(text)} is no height: give a whole number or \`latest\`. By hash: GET /block?hash=HASH.`,
  );
}

/** The block, or a Refusal that says which heights there are. */
export function blockAt(blocks: BlockReader, wanted: Height | "latest"): StoredBlock {
  const height = wanted === "latest" ? blocks.head.height : wanted;
  const block = blocks.blockAt(height);
  if (block === null) throw notFound(blocks, `at height ${height}`);
  return block;
}

export function blockByHash(blocks: BlockReader, text: string): StoredBlock {
  const hash = fromHex(text);
  if (hash === null || hash.length !== 32) {
    throw badRequest("A block hash has 64 hexadecimal digits, with or without 0x.");
  }
  const height = blocks.heightOf(hash);
  if (height === null) throw notFound(blocks, `with hash ${hex(hash)}`);
  return blockAt(blocks, height);
}

function notFound({ earliestHeight, head }: BlockReader, which: string): Refusal {
  const held =
    earliestHeight === null
      ? "It has no blocks yet."
      : `It has heights ${earliestHeight} to ${head.height}.`;
  return new Refusal(
    { code: "BLOCK_NOT_FOUND", earliest_height: earliestHeight, latest_height: head.height },
    `This node has no block ${which}. ${held}`,
  );
}

function blockJson(block: StoredBlock): object {
  const { header, signature, signer } = block.header;
  const { metadata, txs } = block.data;
  return {
    height: block.height,
    hash: hex(block.hash),
    app_hash: hex(block.appHash),
    raft_index: block.raftIndex,
    raft_term: block.raftTerm,
    header: headerJson(header),
    signature: hex(signature),
    signer: { address: hex(signer.address), public_key: hex(signer.publicKey) },
    data: {
      metadata: metadata && {
        chain_id: metadata.chainId,
        height: metadata.height,
        time_ns: metadata.timeNs.toString(),
        last_data_hash: hex(metadata.lastDataHash),
      },
      txs: txs.map(hex),
    },
    tx_ids: block.txIds.map(hex),
  };
}

function headerJson(header: Header): object {
  return {
    version: header.version,
    chain_id: header.chainId,
    height: header.height,
    time: rfc3339Nano(header.timeNs),
    /** In text, since it exceeds what a JSON number holds exactly. */
    time_ns: header.timeNs.toString(),
    last_header_hash: hex(header.lastHeaderHash),
    data_hash: hex(header.dataHash),
    app_hash: hex(header.appHash),
    proposer_address: hex(header.proposerAddress),
    validator_hash: hex(header.validatorHash),
  };
}
