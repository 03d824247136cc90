/**
 * The execution client of a node, a process of its own: slow, now and then gone or hung for a while, and sometimes
 * killed, with the loss of its last blocks. Its state is a hash over all blocks that it has run: their heights, times
 * and transactions, since a transaction may read all of these.
 */

import { equalBytes, toHex } from "../../../src/base/bytes.ts";
import { sleep } from "../../../src/base/task-group.ts";
import { sha256 } from "../../../src/block/hash.ts";
import type { Height } from "../../../src/block/types.ts";
import { diverged, ExecutionError, rejected } from "../../../src/execution/errors.ts";
import type {
  BlockToBuild,
  BlockToExecute,
  ExecutionHead,
  ExecutionResult,
  Executor,
  IdentifiedTx,
} from "../../../src/execution/executor.ts";
import type { Dice } from "../dice.ts";
import type { World } from "../world.ts";

interface Executed {
  /** Of everything that the block said. */
  readonly content: Uint8Array;
  readonly appHash: Uint8Array;
  /** What each register holds afterwards; 0 where nothing was written. */
  readonly registers: readonly number[];
  /** The state is not what it should be. */
  readonly isWrong: boolean;
}

/** The keys that transactions write, `r0=17`, with a value of its own each. */
export const registerCount = 4;

const noRegisters: readonly number[] = Array.from({ length: registerCount }, () => 0);

export const genesisAppHash = sha256(new TextEncoder().encode("nothing is executed"));

/** Outlives the node's processes. */
export class ExecutionClient {
  readonly #executed: Executed[] = [];
  /** Until then nobody listens at its port. */
  goneUntilMs = 0;
  /** Until then it takes calls, and answers none. */
  hungUntilMs = 0;
  /** It holds every block that it has not run for invalid. */
  #isRejecting = false;
  /** What it runs up to there gives another state than it should; 0: nothing does. */
  #wrongThrough: Height = 0;

  get head(): ExecutionHead {
    const height = this.#executed.length;
    return { height, appHash: this.#executed.at(-1)?.appHash ?? genesisAppHash };
  }

  /** As `KvExecutor.read` does. */
  read(key: Uint8Array): { readonly value: Uint8Array | null; readonly height: Height } {
    const register = Number(new TextDecoder().decode(key).slice(1));
    const value = this.#executed.at(-1)?.registers[register] ?? 0;
    const bytes = value === 0 ? null : new TextEncoder().encode(String(value));
    return { value: bytes, height: this.head.height };
  }

  /** It was killed, and had not stored its last blocks. */
  lose(count: number): void {
    this.#executed.splice(Math.max(0, this.#executed.length - count));
  }

  reject(): void {
    this.#isRejecting = true;
  }

  /**
   * It was killed, has lost some of the blocks that its node has stored, and gives another state when it runs them again.
   * No others: what it did wrong with a new block only the next one would show.
   */
  goWrong(lost: number, storedHeight: Height): void {
    this.lose(Math.max(lost, this.head.height - storedHeight + 1));
    this.#wrongThrough = storedHeight;
  }

  /** Its operator has put a sound one in its place. */
  replace(): void {
    this.#isRejecting = false;
    this.#wrongThrough = 0;
    const firstWrong = this.#executed.findIndex(({ isWrong }) => isWrong);
    if (firstWrong !== -1) this.#executed.length = firstWrong;
  }

  /** Whether its node cannot go on with it. */
  get isBroken(): boolean {
    return this.#isRejecting || this.#wrongThrough > 0;
  }

  run(block: BlockToExecute): ExecutionResult {
    const { height, prevAppHash } = block;
    const content = contentOf(block);
    const known = this.#executed[height - 1];
    if (known !== undefined) {
      if (equalBytes(known.content, content)) return known;
      throw diverged({ height, field: "transactions", executed: known.content, offered: content });
    }
    const { head } = this;
    if (height > head.height + 1) throw gap(height, head.height + 1);
    if (!equalBytes(head.appHash, prevAppHash)) {
      const [executed, offered] = [head.appHash, prevAppHash];
      throw diverged({ height, field: "state before the block", executed, offered });
    }
    if (this.#isRejecting) throw invalid(height, content);
    const isWrong = height <= this.#wrongThrough;
    const appHash = isWrong ? sha256(content, prevAppHash) : sha256(prevAppHash, content);
    const before = this.#executed.at(-1)?.registers ?? noRegisters;
    this.#executed.push({
      content,
      appHash,
      registers: block.txs.reduce(written, before),
      isWrong,
    });
    return { appHash };
  }
}

/** The registers after a transaction. */
function written(registers: readonly number[], tx: Uint8Array): readonly number[] {
  const [, register, value] = /^r(\d)=(\d+)$/.exec(new TextDecoder().decode(tx)) ?? [];
  return registers.with(Number(register), Number(value));
}

/** What execution may depend on, as one hash. */
export function contentOf({
  height,
  timestampNs,
  txs,
}: Pick<BlockToExecute, "height" | "timestampNs" | "txs">): Uint8Array {
  const place = new TextEncoder().encode(`block ${height} at ${timestampNs} ns: `);
  return sha256(place, ...txs);
}

/** A call without an answer is given up after so long. */
const callTimeoutHeartbeats = 8;

/** One process's way to its client. */
export class SimulatedExecutor implements Executor {
  readonly txLifetimeMs = null;
  readonly timestampStepNs = 1n;
  readonly #client: ExecutionClient;
  readonly #world: World;
  readonly #dice: Dice;
  /** In the order in which they were made. */
  readonly #calls = new Set<number>();
  #lastCall = 0;

  constructor(
    client: ExecutionClient,
    { world, dice }: { readonly world: World; readonly dice: Dice },
  ) {
    this.#client = client;
    this.#world = world;
    this.#dice = dice;
  }

  get oldestCall(): number | null {
    const [oldest = null] = this.#calls;
    return oldest;
  }

  checkTx(): null {
    return null;
  }

  identityOf(): null {
    return null;
  }

  screenTx(): Promise<null> {
    return Promise.resolve(null);
  }

  initChain(): Promise<ExecutionResult> {
    return Promise.resolve({ appHash: genesisAppHash });
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async build({ height, waiting }: BlockToBuild): Promise<readonly IdentifiedTx[]> {
    await this.#answer(height);
    return waiting();
  }

  async executeTxs(block: BlockToExecute): Promise<ExecutionResult> {
    await this.#answer(block.height);
    return this.#client.run(block);
  }

  async head(): Promise<ExecutionHead> {
    await this.#answer(0);
    return this.#client.head;
  }

  setFinal(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #answer(height: Height): Promise<void> {
    const call = ++this.#lastCall;
    this.#calls.add(call);
    try {
      await this.#answered(height);
    } finally {
      this.#calls.delete(call);
    }
  }

  async #answered(height: Height): Promise<void> {
    const { conditions, schedule, plan } = this.#world;
    const { low, high } = conditions.host.applyMs;
    await sleep(this.#dice.between(low, high));
    const { heartbeatMs } = plan.timeouts;
    const untilMs = schedule.nowMs + callTimeoutHeartbeats * heartbeatMs;
    while (schedule.nowMs < this.#client.hungUntilMs) {
      if (schedule.nowMs >= untilMs) throw unavailable(height, "it does not answer");
      await sleep(heartbeatMs / 4);
    }
    if (schedule.nowMs < this.#client.goneUntilMs) throw unavailable(height, "nobody listens");
  }
}

function unavailable(height: Height, what: string): ExecutionError {
  return new ExecutionError({ code: "EXECUTION_UNAVAILABLE", height }, what);
}

function invalid(height: Height, content: Uint8Array): ExecutionError {
  const facts = { height, committedHash: toHex(content), latestValidHash: null };
  return rejected({ ...facts, reason: "as simulated" });
}

function gap(height: Height, nextHeight: Height): ExecutionError {
  return new ExecutionError(
    { code: "EXECUTION_GAP", height, nextHeight },
    `block ${height} was offered, and ${nextHeight} is next`,
  );
}
