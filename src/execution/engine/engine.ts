/**
 * An Ethereum execution client, driven over the Engine API. Its head only ever moves to a committed
 * block (P2), and a call that fails changes nothing that the next attempt does not find out: after each
 * failure the client's head is read again.
 */

import { assert, defined } from "../../base/assert.ts";
import { clientDiverged, gap, unavailable, unsuitable } from "../errors.ts";
import type {
  BlockToBuild,
  BlockToExecute,
  ExecutionHead,
  ExecutionResult,
  Executor,
  GenesisParameters,
  IdentifiedTx,
  Unfit,
} from "../executor.ts";
import { bytesOf, type ClientBlock } from "./answers.ts";
import type { BlockMaker, MakerTools } from "./block-maker.ts";
import { CallWatch, type FinishedCall } from "./call-watch.ts";
import { checkState, checkValid, payloadOf } from "./committed-block.ts";
import { EngineApi, type Judgement, type Submission } from "./engine-api.ts";
import { EngineError, malformed, moved, stuck } from "./errors.ts";
import { EthApi, whyTooLarge } from "./eth-api.ts";
import { type ForkchoiceLags, ForkchoiceRule, type NamedBlock } from "./forkchoice.ts";
import { JsonRpcClient } from "./json-rpc.ts";
import { mintToken } from "./jwt.ts";
import { ListMaker } from "./list-maker.ts";
import { holdsPayload, transactionHash, whyNoTransaction } from "./payload-block.ts";
import { PayloadMaker } from "./payload-maker.ts";

export interface EngineOptions extends ForkchoiceLags {
  readonly engineUrl: string;
  readonly ethUrl: string;
  readonly jwtSecret: Uint8Array;
  /** In hexadecimal; null takes the client's word for it. */
  readonly genesisHash: string | null;
  /** An address in hexadecimal; null burns the fees. */
  readonly feeRecipient: string | null;
  /** From a block to the next. */
  readonly blockTimeNs: bigint;
  readonly txLifetimeMs: number;
  /** For the tokens; the system's clock unless it is given. */
  readonly unixSeconds?: () => number;
}

/** What the executor found at the other end. */
export interface ClientFacts {
  /** As the client names itself. */
  readonly version: string;
  /** Who puts blocks together: the client, or this node, whose lists of transactions ev-reth runs. */
  readonly buildsBlocks: boolean;
  readonly headHeight: number;
  /** A geth that could not be helped after a crash (`ENGINE_STUCK`): its port does not offer `debug`. */
  readonly lacksDebug: boolean;
}

export interface EngineListener {
  /** The client answers: at the start, and when it is another one than before. */
  connected(client: ClientFacts): void;
  called(call: FinishedCall): void;
}

export class EngineExecutor implements Executor {
  readonly #options: EngineOptions;
  readonly #listener: EngineListener;
  readonly #rpcs: readonly JsonRpcClient[];
  readonly #engine: EngineApi;
  readonly #eth: EthApi;
  /** With connections of its own: however many transactions come, no block waits behind them. */
  readonly #pool: EthApi;
  readonly #watch: CallWatch;
  readonly #forkchoice: ForkchoiceRule;
  readonly #tools: MakerTools;
  /** Null until `initChain` has found out what the client can do. */
  #maker: BlockMaker | null = null;
  /** Null where it must be read first: at the start, and after a failure. */
  #head: ClientBlock | null = null;
  /** Calls that belong together are not mixed with others. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions, listener: EngineListener) {
    this.#options = options;
    this.#listener = listener;
    const { jwtSecret, unixSeconds = () => Math.floor(Date.now() / 1000) } = options;
    const token = () => mintToken(jwtSecret, unixSeconds());
    const called = (call: FinishedCall) => listener.called(call);
    const watch = new CallWatch(called);
    const engineRpc = new JsonRpcClient({ url: options.engineUrl, token, watch });
    const ethRpc = new JsonRpcClient({ url: options.ethUrl, token: null, watch });
    const poolRpc = new JsonRpcClient({
      url: options.ethUrl,
      token: null,
      watch: new CallWatch(called),
    });
    this.#rpcs = [engineRpc, ethRpc, poolRpc];
    this.#watch = watch;
    this.#engine = new EngineApi(engineRpc);
    this.#eth = new EthApi(ethRpc);
    this.#pool = new EthApi(poolRpc);
    this.#forkchoice = new ForkchoiceRule(options);
    this.#tools = {
      engine: this.#engine,
      eth: this.#eth,
      feeRecipient: normalised(options.feeRecipient ?? "00".repeat(20)),
      blockTimeMs: Number(options.blockTimeNs) / 1e6,
      forkchoiceOf: (block) => this.#forkchoiceOf(block),
    };
  }

  /** One nanosecond before `initChain`, which finds out whether the client knows only seconds. */
  get timestampStepNs(): bigint {
    return this.#maker?.timestampStepNs ?? 1n;
  }

  get txLifetimeMs(): number {
    return this.#options.txLifetimeMs;
  }

  /** Of those that blocks depend on. */
  get oldestCall(): number | null {
    return this.#watch.oldest;
  }

  /** Whether it is worth a sequencer's memory; what it is worth to the client, the client says. */
  checkTx(tx: Uint8Array): string | null {
    return whyNoTransaction(tx) ?? whyTooLarge(tx);
  }

  identityOf(tx: Uint8Array): Uint8Array {
    return transactionHash(tx);
  }

  screenTx(tx: Uint8Array): Promise<Unfit | null> {
    return this.#pool.offer(tx, transactionHash(tx));
  }

  initChain(genesis: GenesisParameters): Promise<ExecutionResult> {
    return this.#inTurn(0, () => this.#initChain(genesis));
  }

  prepare(block: BlockToBuild): Promise<void> {
    return this.#inTurn(block.height, async () => {
      await this.#makerInUse.prepare(block, await this.#parentOf(block));
    });
  }

  build(block: BlockToBuild): Promise<readonly IdentifiedTx[]> {
    return this.#inTurn(block.height, async () =>
      this.#makerInUse.build(block, await this.#parentOf(block)),
    );
  }

  executeTxs(block: BlockToExecute): Promise<ExecutionResult> {
    return this.#inTurn(block.height, () => this.#execute(block));
  }

  head(): Promise<ExecutionHead> {
    return this.#inTurn(0, async () => {
      const { number, stateRoot } = await this.#readHead();
      return { height: number, appHash: bytesOf(stateRoot) };
    });
  }

  /** The client hears of it with the next block. */
  async setFinal(height: number): Promise<void> {
    this.#forkchoice.setFinal(height);
  }

  /** Calls under way fail. May be called twice. */
  async close(): Promise<void> {
    for (const rpc of this.#rpcs) rpc.close();
    await this.#last;
  }

  /** What the client is, and whether it can run this chain. */
  async #connect(): Promise<{ readonly genesisBlock: ClientBlock }> {
    const { url } = this.#eth;
    await this.#engine.exchangeCapabilities();
    const version = await this.#eth.clientVersion();
    const genesisBlock = await this.#eth.blockAt(0);
    if (genesisBlock === null) {
      throw malformed(url, "eth_getBlockByNumber", "it has no genesis block");
    }
    const expected = this.#options.genesisHash && normalised(this.#options.genesisHash);
    if (expected !== null && genesisBlock.hash !== expected) {
      throw unsuitable(
        url,
        `its genesis block is ${genesisBlock.hash}, and evm.genesis_hash ${expected}. Initialise it ` +
          "with the genesis of the other nodes' clients, or correct the key",
      );
    }
    if (!genesisBlock.requestsHash) {
      throw unsuitable(url, "its genesis has not all forks up to Prague at time 0; add them");
    }
    const buildsBlocks = (await this.#eth.pooledTransactions()) === null;
    const maker = buildsBlocks ? new PayloadMaker(this.#tools) : new ListMaker(this.#tools);
    const { blockTimeNs } = this.#options;
    if (blockTimeNs < maker.timestampStepNs) {
      const problem = `it needs ${Number(maker.timestampStepNs) / 1e9} s from a block to the next`;
      throw unsuitable(url, `${problem}; raise node.block_time, or use ev-reth`);
    }
    const { number } = await this.#readHead();
    this.#maker = maker;
    const modules = isGeth(version) ? await this.#eth.modules() : null;
    const lacksDebug = modules !== null && !modules.includes("debug");
    this.#listener.connected({ version, buildsBlocks, headHeight: number, lacksDebug });
    return { genesisBlock };
  }

  async #initChain({ initialHeight }: GenesisParameters): Promise<ExecutionResult> {
    if (initialHeight !== 1) {
      const problem = `its first block is 1, and genesis.json has initial_height ${initialHeight}`;
      throw unsuitable(this.#eth.url, `${problem}; write 1`);
    }
    const { genesisBlock } = await this.#connect();
    return { appHash: bytesOf(genesisBlock.stateRoot) };
  }

  async #execute(block: BlockToExecute): Promise<ExecutionResult> {
    const { height, txs } = block;
    const submission = holdsPayload(txs) ? payloadOf(block) : null;
    const head = await this.#readHead();
    if (height > head.number + 1) throw gap(height, head.number + 1);
    if (height <= head.number) return await this.#executedBefore(block, submission);

    checkState(block, head);
    const offered = submission ?? (await this.#makerInUse.rebuild(block, head));
    const { payload } = offered;
    if (payload.parentHash !== head.hash) {
      const committedHash = payload.parentHash;
      throw clientDiverged({
        height: head.number,
        what: "block",
        clientHash: head.hash,
        committedHash,
      });
    }
    checkValid(height, payload.blockHash, await this.#judgementOf(offered, head));
    const next = await this.#moveHead({ height, hash: payload.blockHash });
    assert(next.stateRoot === payload.stateRoot, "a block has one state", { height });
    return { appHash: bytesOf(next.stateRoot) };
  }

  /**
   * A geth whose crash took it back to its genesis believes itself in the middle of a sync, and takes no block until it
   * is told that the head it has is the head: which it is, being the block's parent.
   */
  async #judgementOf(offered: Submission, head: ClientBlock): Promise<Judgement> {
    try {
      return await this.#engine.newPayload(offered);
    } catch (error) {
      const isSyncing = error instanceof EngineError && error.code === "ENGINE_SYNCING";
      if (isSyncing) await this.#engine.setHead(await this.#forkchoiceOf(head));
      throw error;
    }
  }

  /** The client's head is now the block, which is committed. */
  async #moveHead(block: NamedBlock): Promise<ClientBlock> {
    const { height, hash } = block;
    const forkchoice = await this.#forkchoice.forHead(block, (at) => this.#hashAt(at));
    checkValid(height, hash, await this.#engine.setHead(forkchoice));
    const head = await this.#eth.head();
    if (head.hash !== hash) await this.#failToMove(head, block);
    this.#head = head;
    return head;
  }

  /**
   * A geth that was killed has lost its newest states, and goes back to the last state on its disk. But it may still
   * know the blocks above that one: then it says VALID to each and stays where it is, and must forget them first. That
   * moves no head. Other clients may only be late to say where they are, and are not told to forget anything.
   */
  async #failToMove(head: ClientBlock, { height, hash }: NamedBlock): Promise<never> {
    const isStuck = head.number < height && isGeth(await this.#eth.clientVersion());
    if (isStuck && !(await this.#eth.forgetAbove(head.number))) throw stuck(head.number);
    throw moved(height, `its head is ${head.number} after it was told ${hash}`);
  }

  /** The answer that the same block had; throws if the client has another one there. */
  async #executedBefore(
    block: BlockToExecute,
    submission: Submission | null,
  ): Promise<ExecutionResult> {
    const { height } = block;
    const parent = await this.#eth.blockAt(height - 1);
    const executed = await this.#eth.blockAt(height);
    if (parent === null || executed === null) throw moved(height, "it has lost blocks");
    checkState(block, parent);
    const committedHash = submission?.payload.blockHash ?? null;
    if (committedHash !== null && committedHash !== executed.hash) {
      throw clientDiverged({ height, what: "block", clientHash: executed.hash, committedHash });
    }
    if (committedHash === null) this.#makerInUse.checkExecuted(block, executed);
    return { appHash: bytesOf(executed.stateRoot) };
  }

  async #parentOf({ height }: BlockToBuild): Promise<ClientBlock> {
    const head = await this.#readHead();
    if (head.number < height - 1) throw gap(height, head.number + 1);
    if (head.number >= height) throw moved(height - 1, `its head is ${head.number}`);
    return head;
  }

  async #readHead(): Promise<ClientBlock> {
    this.#head ??= await this.#eth.head();
    return this.#head;
  }

  async #forkchoiceOf({ number, hash }: ClientBlock) {
    return await this.#forkchoice.forHead({ height: number, hash }, (at) => this.#hashAt(at));
  }

  async #hashAt(height: number): Promise<string> {
    const block = await this.#eth.blockAt(height);
    if (block === null) throw moved(height, "it has no block there");
    return block.hash;
  }

  get #makerInUse(): BlockMaker {
    return defined(this.#maker, "initChain comes before the first block");
  }

  /** Runs `calls` after those before it. What the client may still get over is EXECUTION_UNAVAILABLE. */
  #inTurn<T>(height: number, calls: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      try {
        return await calls();
      } catch (error) {
        this.#head = null;
        this.#forkchoice.reset();
        this.#maker?.reset();
        throw error instanceof EngineError ? unavailable(height, error) : error;
      }
    });
    this.#last = turn.catch(() => {});
    return turn;
  }
}

function isGeth(version: string): boolean {
  return version.startsWith("Geth/");
}

/** As clients write it: lower case, with `0x`. */
function normalised(hex: string): string {
  return `0x${hex.toLowerCase().replace(/^0x/, "")}`;
}
