/** genesis.json: what a chain starts from, the same on every node of it. */

import { toHex } from "../base/bytes.ts";
import { sha256 } from "../block/hash.ts";
import { fieldError } from "./errors.ts";
import { JsonFields, toBase64 } from "./json.ts";
import { readText, writePrivateFile } from "./private-file.ts";
import { formatRfc3339, parseRfc3339 } from "./rfc3339.ts";

export interface Genesis {
  readonly chainId: string;
  /** RFC 3339, as it stands in the file: its nanoseconds and zone are kept when it is written again. */
  readonly startTime: string;
  /** `startTime` in Unix nanoseconds: the time of the first block. */
  readonly startTimeNs: bigint;
  readonly initialHeight: number;
  /** SHA-256 of the sequencer's public key. */
  readonly proposerAddress: Uint8Array;
  readonly daStartHeight: number;
  readonly daEpochForcedInclusion: number;
}

const advice =
  "All nodes of a chain share one genesis.json: copy it from the node that made the chain";
const addressBytes = 32;
const timeMaxNs = 2n ** 64n - 1n;
const zeroTimeNs = -62_135_596_800_000_000_000n; // Go's zero time, the first of January of year 1

/** A new chain's genesis, with ev-node's defaults. */
export function newGenesis(facts: {
  readonly chainId: string;
  readonly proposerAddress: Uint8Array;
  readonly startTimeNs: bigint;
}): Genesis {
  return {
    ...facts,
    startTime: formatRfc3339(facts.startTimeNs),
    initialHeight: 1,
    daStartHeight: 0,
    daEpochForcedInclusion: 50,
  };
}

/** Reads and checks a genesis. Throws HomeError with the file, the field and what is wrong. */
export async function readGenesis(path: string): Promise<Genesis> {
  return parseGenesis(path, await readText(path, advice));
}

/** Throws HomeError, HOME_EXISTS above all: a chain has one genesis. */
export async function writeGenesis(path: string, genesis: Genesis): Promise<void> {
  await writePrivateFile(path, formatGenesis(genesis), { overwrite: false });
}

/** A genesis from the text of `path`. ev-node's rules, and its words where it has some. */
export function parseGenesis(path: string, text: string): Genesis {
  const fields = new JsonFields(path, text, advice);
  const fail = (field: string, sentence: string) =>
    fieldError(path, field, `${sentence}. ${advice}`);

  const chainId = fields.text("chain_id") ?? "";
  if (chainId === "") throw fail("chain_id", "invalid or missing chain_id in genesis file");

  const initialHeight = fields.count("initial_height");
  if (initialHeight < 1) {
    throw fail("initial_height", `initial_height must be at least 1, got ${initialHeight}`);
  }

  const startTime = fields.text("start_time");
  const startTimeNs = startTime === null ? zeroTimeNs : parseRfc3339(startTime);
  if (startTime === null || startTimeNs === zeroTimeNs) {
    throw fail("start_time", "start_time cannot be zero time");
  }
  if (startTimeNs === null) {
    throw fail("start_time", `start_time ${JSON.stringify(startTime)} is not an RFC 3339 time`);
  }
  if (startTimeNs < 0n || startTimeNs > timeMaxNs) {
    throw fail("start_time", `start_time ${startTime} must lie between the years 1970 and 2554`);
  }

  const proposerAddress = fields.bytes("proposer_address");
  if (proposerAddress === null) throw fail("proposer_address", "proposer_address cannot be nil");
  if (proposerAddress.length !== addressBytes) {
    const got = `proposer_address must have ${addressBytes} bytes, got ${proposerAddress.length}`;
    throw fail("proposer_address", got);
  }

  const daStartHeight = fields.count("da_start_height");
  if (daStartHeight < 0) throw fail("da_start_height", "da_start_height cannot be negative");

  const daEpochForcedInclusion = fields.count("da_epoch_forced_inclusion");
  if (daEpochForcedInclusion < 1) {
    const got = `da_epoch_forced_inclusion must be at least 1, got ${daEpochForcedInclusion}`;
    throw fail("da_epoch_forced_inclusion", got);
  }

  return {
    chainId,
    startTime,
    startTimeNs,
    initialHeight,
    proposerAddress,
    daStartHeight,
    daEpochForcedInclusion,
  };
}

/** As ev-node writes it: two spaces, no line feed at the end. */
export function formatGenesis(genesis: Genesis): string {
  const file = {
    chain_id: genesis.chainId,
    start_time: genesis.startTime,
    initial_height: genesis.initialHeight,
    proposer_address: toBase64(genesis.proposerAddress),
    da_start_height: genesis.daStartHeight,
    da_epoch_forced_inclusion: genesis.daEpochForcedInclusion,
  };
  return JSON.stringify(file, null, 2);
}

/**
 * Equal on two nodes exactly if their genesis means the same: SHA-256 over the fields as a JSON list,
 * in the file's order. The layout of the file and the zone of its time do not count.
 */
export function genesisHash(genesis: Genesis): Uint8Array {
  const fields = [
    genesis.chainId,
    genesis.startTimeNs.toString(),
    genesis.initialHeight,
    toHex(genesis.proposerAddress),
    genesis.daStartHeight,
    genesis.daEpochForcedInclusion,
  ];
  return sha256(Buffer.from(JSON.stringify(fields), "utf8"));
}
