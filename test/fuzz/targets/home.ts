/** The files of a home directory. */

import { HomeError } from "../../../src/home/errors.ts";
import { parseEthereumGenesis } from "../../../src/home/ethereum-genesis.ts";
import { formatGenesis, genesisHash, parseGenesis } from "../../../src/home/genesis.ts";
import { formatNodeKey, parseNodeKey } from "../../../src/home/node-key.ts";
import {
  fromBase58,
  peerIdFromPublicKey,
  publicKeyFromPeerId,
  toBase58,
} from "../../../src/home/peer-id.ts";
import { keyPairFromSeed } from "../../../src/home/raw-key.ts";
import { formatRfc3339, parseRfc3339 } from "../../../src/home/rfc3339.ts";
import { decryptSigner, encryptSigner } from "../../../src/home/signer-file.ts";
import { seed } from "../../block/sample.ts";
import { json } from "../shapes.ts";
import { checkCodec, Defect, outcomeOf, type Target, textOf, utf8 } from "../target.ts";

const pair = keyPairFromSeed(seed);
const passphrase = "correct horse";
const salt = new Uint8Array(16).fill(1);
const nonce = new Uint8Array(12).fill(2);
const signer = await encryptSigner("signer.json", pair, { passphrase, salt, nonce });

const genesis = (startTime: string) => ({
  chain_id: "evolve-test",
  start_time: startTime,
  initial_height: 1,
  proposer_address: "Vkdap1RjR0wChd9dvyvKtz2mUTWIOem3dIGy6rEHcIw=",
  da_start_height: 0,
  da_epoch_forced_inclusion: 50,
});

const ethereumGenesis = {
  config: {
    chainId: 1234,
    shanghaiTime: 0,
    cancunTime: 0,
    pragueTime: 0,
    terminalTotalDifficulty: 0,
  },
  timestamp: "0x5",
  gasLimit: "0x1c9c380",
  alloc: { "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266": { balance: "0x1" } },
};

const times = [
  "2024-07-08T11:10:11.123456789+02:00",
  "1970-01-01T00:00:00Z",
  "0001-01-01T00:00:00Z",
  "9999-12-31T23:59:59.9-23:59",
];

export function isHomeError(error: unknown): boolean {
  return error instanceof HomeError;
}

export const homeTargets: readonly Target[] = [
  {
    name: "genesis",
    shape: json,
    seeds: times.slice(0, 2).map((time) => utf8(JSON.stringify(genesis(time), null, 2))),
    words: times.map(utf8),
    check: checkCodec({
      decode: (input) => parseGenesis("genesis.json", textOf(input)),
      encode: (value) => utf8(formatGenesis(value)),
      isRefusal: isHomeError,
      use: genesisHash,
    }),
  },
  {
    name: "ethereum-genesis",
    shape: json,
    seeds: [utf8(JSON.stringify(ethereumGenesis))],
    check: checkCodec({
      decode: (input) => parseEthereumGenesis("genesis.json", textOf(input)),
      encode: null,
      isRefusal: isHomeError,
      use: ({ timeNs }) => formatRfc3339(timeNs),
    }),
  },
  {
    name: "signer",
    shape: json,
    seeds: [utf8(signer)],
    check: async (input) => {
      try {
        await decryptSigner("signer.json", textOf(input), passphrase);
        return "taken";
      } catch (error) {
        if (isHomeError(error)) return "refused";
        throw error;
      }
    },
    // Each one whose salt is whole takes a tenth of a second.
    share: 0.0002,
  },
  {
    name: "node-key",
    shape: json,
    seeds: [utf8(formatNodeKey(pair))],
    check: checkCodec({
      decode: (input) => parseNodeKey("node_key.json", textOf(input)),
      encode: (value) => utf8(formatNodeKey(value)),
      isRefusal: isHomeError,
    }),
    share: 0.3,
  },
  {
    name: "rfc3339",
    shape: json,
    seeds: times.map(utf8),
    check: (input) => {
      const timeNs = parseRfc3339(textOf(input));
      if (timeNs === null) return "refused";
      if (timeNs < 0n || timeNs >= 2n ** 64n) return "taken"; // no block has such a time
      if (parseRfc3339(formatRfc3339(timeNs)) !== timeNs) throw new Defect("is written otherwise");
      return "taken";
    },
  },
  {
    name: "peer-id",
    shape: json,
    seeds: [utf8(peerIdFromPublicKey(pair.publicKey)), utf8(toBase58(salt))],
    check: (input) => {
      const text = textOf(input);
      const key = publicKeyFromPeerId(text);
      if (key !== null && peerIdFromPublicKey(key) !== text) throw new Defect("is two peer ids");
      const bytes = fromBase58(text);
      if (bytes !== null && toBase58(bytes) !== text) throw new Defect("is written otherwise");
      return outcomeOf(bytes);
    },
  },
];
