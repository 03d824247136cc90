/** An Ethereum genesis, as far as genesis.json follows from it: execution clients are initialised with it. */

import { z } from "zod";
import { fieldError, notJson } from "./errors.ts";
import { readText } from "./private-file.ts";

export interface EthereumGenesis {
  /** Of `config.chainId`, in decimals. */
  readonly chainId: string;
  /** No block has this time or an earlier one. */
  readonly timeNs: bigint;
}

const advice = "Give the genesis that the execution clients are initialised with";
const forks = ["shanghaiTime", "cancunTime", "pragueTime"] as const;

const quantity = z
  .union([z.number(), z.string().regex(/^(0x[0-9a-fA-F]+|\d+)$/)])
  .transform(Number)
  .refine((value) => Number.isSafeInteger(value) && value >= 0);

/** Of the year 9999: genesis.json has no word for a later one (RFC 3339). */
const lastSecond = 253_402_300_799;

const fork = z.number().optional();

const genesisSchema = z.object({
  config: z.object({
    chainId: z.int().positive(),
    shanghaiTime: fork,
    cancunTime: fork,
    pragueTime: fork,
  }),
  timestamp: quantity.refine((seconds) => seconds <= lastSecond).default(0),
  alloc: z.record(z.string(), z.unknown()),
});

/** Throws HomeError with the file, the field and what is wrong. */
export async function readEthereumGenesis(path: string): Promise<EthereumGenesis> {
  return parseEthereumGenesis(path, await readText(path, advice));
}

/** From the text of `path`. */
export function parseEthereumGenesis(path: string, text: string): EthereumGenesis {
  const parsed = genesisSchema.safeParse(parseJson(path, text));
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".") || "config";
    throw fieldError(path, field, `${field} is missing, or not what it is in a genesis. ${advice}`);
  }
  const { config, timestamp } = parsed.data;
  for (const name of forks) {
    if (config[name] === 0) continue;
    const sentence = `config.${name} must be 0: the Engine API is spoken in the versions since Prague`;
    throw fieldError(path, `config.${name}`, sentence);
  }
  return { chainId: String(config.chainId), timeNs: BigInt(timestamp) * 1_000_000_000n };
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw notJson(path, "is not JSON", advice, cause);
  }
}
