/**
 * The blocks of a hashicorp member that leads: it holds only bytes, so what it proposes is built and signed
 * here, over the block that it applied last. The state after that block is asked from a node of ours.
 */

import { setTimeout as delay } from "node:timers/promises";
import { fromHex } from "../../src/base/bytes.ts";
import { buildBlock } from "../../src/block/build.ts";
import { decodeBlockPayload, encodeBlockPayload } from "../../src/block/codec.ts";
import { dataHashes, headerHash } from "../../src/block/hash.ts";
import { BlockSigner } from "../../src/block/sign.ts";
import type { ChainHead } from "../../src/block/types.ts";
import type { LocalCluster } from "../../src/devnet/local-cluster.ts";
import { emptyRoot } from "../../src/execution/kv-tree.ts";
import { type Genesis, readGenesis } from "../../src/home/genesis.ts";
import { homeLayout } from "../../src/home/layout.ts";
import { openSigner } from "../../src/home/signer-file.ts";
import { readBlock } from "../e2e/harness/chain.ts";
import { until } from "../e2e/harness/until.ts";
import type { HashicorpMember } from "./hashicorp-member.ts";

const noHash = new Uint8Array();
const blockTimeMs = 20;

export class ForeignProducer {
  readonly #ours: LocalCluster;
  #keys: { readonly genesis: Genesis; readonly signer: BlockSigner } | null = null;

  constructor(ours: LocalCluster) {
    this.#ours = ours;
  }

  /** A block by `member`. False if it does not lead, or no longer: then the block may be committed all the same. */
  async produce(member: HashicorpMember, txs: readonly string[] = []): Promise<boolean> {
    const block = await this.next(member, txs);
    const isCommitted = await member.apply(block).then(
      () => true,
      () => false,
    );
    await delay(blockTimeMs);
    return isCommitted;
  }

  /** The entry of the block that comes next. */
  async next(member: HashicorpMember, txs: readonly string[] = []): Promise<Uint8Array> {
    const { genesis, signer } = await this.#openKeys();
    const block = buildBlock({
      head: await this.#headOf(member, genesis),
      genesis: { ...genesis, genesisTimeNs: genesis.startTimeNs },
      txs: txs.map((tx) => new TextEncoder().encode(tx)),
      txIds: txs.map(() => noHash),
      nowNs: BigInt(Date.now()) * 1_000_000n,
      proposer: signer.signer,
    });
    // As ev-node writes it: signed, and without identities.
    const header = signer.sign(block.header.header);
    return encodeBlockPayload({ ...block, header, txIds: [] });
  }

  async #headOf(member: HashicorpMember, genesis: Genesis): Promise<ChainHead> {
    const fsm = await until(`${member.id} has applied its log`, async () => {
      const status = await member.status();
      return status.appliedIndex === status.lastIndex ? { state: status.fsm } : null;
    });
    const place = { raftIndex: 0, raftTerm: 0 };
    if (fsm.state === null) {
      const height = genesis.initialHeight - 1;
      const timeNs = genesis.startTimeNs;
      return { height, hash: noHash, dataHash: noHash, timeNs, appHash: emptyRoot, ...place };
    }
    const { height, header, data } = decodeBlockPayload(fsm.state);
    const { timeNs } = header.header;
    const hash = headerHash(header.header);
    return {
      height,
      hash,
      dataHash: dataHashes(data).hash,
      timeNs,
      // A block without transactions changes nothing.
      appHash: data.txs.length === 0 ? header.header.appHash : await this.#appHashAfter(height),
      ...place,
    };
  }

  /** Of any node of ours that has the block. */
  async #appHashAfter(height: number): Promise<Uint8Array> {
    const node = await until(`a node has block ${height}`, async () => {
      for (const one of this.#ours.running) {
        if (((await one.status())?.height ?? 0) >= height) return one;
      }
      return null;
    });
    const hash = fromHex((await readBlock(node, height)).app_hash);
    if (hash === null) throw new Error("an app hash is hexadecimal");
    return hash;
  }

  async #openKeys() {
    const [first] = this.#ours.nodes;
    if (first === undefined) throw new Error("a mixed cluster has a node of ours");
    const { signerFile, genesisFile } = homeLayout(first.place.home);
    this.#keys ??= {
      genesis: await readGenesis(genesisFile),
      signer: new BlockSigner((await openSigner(signerFile, first.place.passphrase)).privateKey),
    };
    return this.#keys;
  }
}
