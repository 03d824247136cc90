/** ev-node, as the Go program of that name makes it answer (`evnode/main.go`). */

import { z } from "zod";
import { base64Bytes, GoProgram, toBase64 } from "./go-program.ts";
import type { Timeouts } from "./hashicorp-member.ts";

const bytes = base64Bytes.transform((value) => value ?? new Uint8Array());

const genesisSchema = z.object({
  chainId: z.string(),
  initialHeight: z.number(),
  startTimeNs: z.string().transform(BigInt),
  proposerAddress: bytes,
});
const signedSchema = z.object({ address: bytes, publicKey: bytes, signature: bytes });
const judgedSchema = z.array(z.object({ height: z.number(), headerHash: bytes, dataHash: bytes }));
const blocksSchema = z.array(z.object({ header: bytes, data: bytes }));
const statusSchema = z.object({ isLeader: z.boolean(), leaderId: z.string(), state: bytes });

export interface Peering {
  /** The path of a genesis.json. */
  readonly genesis: string;
  /** The directory of a node_key.json. */
  readonly nodeKey: string;
  /** Multiaddrs, separated by commas. */
  readonly peers: string;
}

/** An encoded SignedHeader and an encoded Data. */
export interface WireBlock {
  readonly header: Uint8Array;
  readonly data: Uint8Array;
}

export interface Membership extends Timeouts {
  readonly id: string;
  readonly address: string;
  readonly directory: string;
  /** `id@host:port`. */
  readonly peers: readonly string[];
  readonly sendTimeoutMs: number;
  readonly genesis: string;
  /** The directory of a signer.json. */
  readonly signer: string;
  readonly passphrase: string;
}

export class EvNode {
  readonly #program: GoProgram;

  private constructor(program: GoProgram) {
    this.#program = program;
  }

  static async start(logFile: string): Promise<EvNode> {
    return new EvNode(await GoProgram.start("evnode", [], logFile));
  }

  async genesis(path: string) {
    return genesisSchema.parse(await this.#program.ask("genesis", path));
  }

  async signer(directory: string, passphrase: string, message: Uint8Array) {
    const about = { directory, passphrase, message: toBase64(message) };
    return signedSchema.parse(await this.#program.ask("signer", about));
  }

  /** The peer id of a node_key.json. */
  async nodeKey(directory: string): Promise<string> {
    return z.string().parse(await this.#program.ask("nodeKey", directory));
  }

  /** Rejects with what ev-node has against one of the log entries, which hold a chain from its first block on. */
  async judge(
    genesis: string,
    blocks: readonly { readonly entry: Uint8Array; readonly appHash: Uint8Array }[],
  ) {
    const encoded = blocks.map(({ entry, appHash }) => ({
      entry: toBase64(entry),
      appHash: toBase64(appHash),
    }));
    return judgedSchema.parse(await this.#program.ask("chain", { genesis, blocks: encoded }));
  }

  /** The chain up to height `to`, fetched by its sync services. */
  async sync(peering: Peering, to: number): Promise<readonly WireBlock[]> {
    return blocksSchema.parse(await this.#program.ask("sync", { ...peering, to }));
  }

  /** Serves a chain from its first block on; the multiaddr at which it does. */
  async serve(peering: Peering, blocks: readonly WireBlock[]): Promise<string> {
    const encoded = blocks.map(({ header, data }) => ({
      header: toBase64(header),
      data: toBase64(data),
    }));
    return z.string().parse(await this.#program.ask("serve", { ...peering, blocks: encoded }));
  }

  async join(membership: Membership): Promise<void> {
    await this.#program.ask("join", membership);
  }

  async status() {
    return statusSchema.parse(await this.#program.ask("status"));
  }

  /** Replicates the next block, as its leader; the log entry. Rejects if it does not lead. */
  async produce(appHash: Uint8Array, txs: readonly string[]): Promise<Uint8Array> {
    const about = {
      appHash: toBase64(appHash),
      txs: txs.map((tx) => Buffer.from(tx).toString("base64")),
    };
    return bytes.parse(await this.#program.ask("produce", about));
  }

  async resign(): Promise<void> {
    await this.#program.ask("resign");
  }

  async kill(): Promise<void> {
    await this.#program.kill();
  }
}
