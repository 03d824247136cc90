/**
 * A block with an Ethereum client, from when it is due until it is executed: the calls of the client one by one, and
 * what is left, which is ours. Executor and geth as in a node; the commit is that of a cluster of three, for an entry of the
 * block's size.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { numberToHex, parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { sleep } from "../../src/base/task-group.ts";
import type { FinishedCall } from "../../src/execution/engine/call-watch.ts";
import { EngineExecutor } from "../../src/execution/engine/engine.ts";
import { transactionHash } from "../../src/execution/engine/payload-block.ts";
import type { BlockToExecute, IdentifiedTx } from "../../src/execution/executor.ts";
import { ChainDriver } from "../../test/execution/engine/chain-driver.ts";
import { hasGeth } from "../../test/geth/binary.ts";
import { exampleGenesis, Geth } from "../../test/geth/geth.ts";
import { BenchCluster } from "../cluster.ts";
import { type Figure, figure } from "../figure.ts";
import type { Section, SectionContext } from "../section.ts";

const loads = [0, 100, 1_000] as const;
const warmUpBlocks = 2;
/** What the client has to build in, where blocks come every second, is longer. */
const buildMs = 400;
const recommitMs = 200;

const account = privateKeyToAccount(numberToHex(1, { size: 32 }));
const genesis: unknown = {
  ...exampleGenesis,
  alloc: {
    ...exampleGenesis.alloc,
    [account.address]: { balance: numberToHex(parseEther("1000000")) },
  },
};

/** One block, in milliseconds. */
interface Sample {
  readonly transfers: number;
  readonly bytes: number;
  /** The two parts of it that are the executor's. */
  readonly executorMs: number;
  /** What of that was spent waiting for the client. */
  readonly clientMs: number;
  /** The same by the call's method without its version. Several calls may be under way at a time. */
  readonly calls: ReadonlyMap<string, number>;
}

interface TimedCall extends FinishedCall {
  readonly endMs: number;
}

export const engineSection: Section = {
  name: "engine",
  async run(context: SectionContext): Promise<readonly Figure[]> {
    if (!hasGeth()) {
      context.note("engine: skipped, since there is no geth (npm run build:geth)");
      return [];
    }
    const directory = await mkdtemp(join(context.workDir, "bench-"));
    const geth = new Geth({ directory: join(directory, "geth"), genesis, recommitMs });
    try {
      await geth.start();
      const samplesOf = await runBlocks(geth, context.effort.engineBlocks);
      const figures: Figure[] = [];
      for (const [load, samples] of samplesOf) {
        figures.push(...(await describe(load, samples, context)));
      }
      return figures;
    } finally {
      await geth.kill();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

async function runBlocks(geth: Geth, count: number): Promise<Map<number, readonly Sample[]>> {
  const calls: TimedCall[] = [];
  const { ethUrl, engineUrl, jwtSecret } = geth;
  const executor = new EngineExecutor(
    {
      ethUrl,
      engineUrl,
      jwtSecret,
      genesisHash: null,
      feeRecipient: null,
      safeLag: 2,
      finalizedLag: 3,
      blockTimeNs: 1_000_000_000n,
      txLifetimeMs: 3_600_000,
    },
    {
      connected() {},
      called: (call) => calls.push({ ...call, endMs: performance.now() }),
    },
  );
  try {
    const chain = new ChainDriver(executor);
    await chain.begin();
    const samplesOf = new Map<number, readonly Sample[]>();
    let nonce = 0;
    for (const load of loads) {
      const samples: Sample[] = [];
      for (let nth = 0; nth < warmUpBlocks + count; nth++) {
        const waiting: IdentifiedTx[] = [];
        while (waiting.length < load) waiting.push(await transfer(nonce++));
        await executor.prepare(chain.next(waiting));
        await sleep(buildMs);
        calls.length = 0;
        const beganMs = performance.now();
        const block = await chain.build(waiting);
        await chain.execute(block);
        const executorMs = performance.now() - beganMs;
        if (nth >= warmUpBlocks) samples.push(sampleOf(block, executorMs, calls));
        // What the client has left out comes first in the next ones, and they are not measured.
        await chain.include(waiting);
      }
      samplesOf.set(load, samples);
    }
    return samplesOf;
  } finally {
    await executor.close();
  }
}

function sampleOf(
  { txs }: BlockToExecute,
  executorMs: number,
  finished: readonly TimedCall[],
): Sample {
  // In the order of their beginnings: of each call counts what none before it has covered.
  const spans = finished.map(({ seconds, endMs }) => ({ beganMs: endMs - seconds * 1000, endMs }));
  let clientMs = 0;
  let coveredToMs = Number.NEGATIVE_INFINITY;
  for (const { beganMs, endMs } of spans.toSorted((a, b) => a.beganMs - b.beganMs)) {
    clientMs += Math.max(0, endMs - Math.max(coveredToMs, beganMs));
    coveredToMs = Math.max(coveredToMs, endMs);
  }
  const calls = new Map<string, number>();
  for (const { method, seconds } of finished) {
    const name = method.replace(/V\d+$/, "");
    calls.set(name, (calls.get(name) ?? 0) + seconds * 1000);
  }
  const bytes = txs.reduce((sum, tx) => sum + tx.length, 0);
  // The first one is the payload's frame.
  return { transfers: txs.length - 1, bytes, executorMs, clientMs, calls };
}

async function describe(
  load: number,
  samples: readonly Sample[],
  context: SectionContext,
): Promise<readonly Figure[]> {
  const commitMs = await commits(samples, context);
  const fewest = Math.min(...samples.map(({ transfers }) => transfers));
  if (fewest < load) context.note(`engine: a block of ${load} transfers had only ${fewest}`);
  const named = (part: string) => `${load.toLocaleString("en")} transfers, ${part}`;
  const of = (part: string, method: string) =>
    figure(
      "engine",
      named(part),
      "ms",
      samples.map(({ calls }) => calls.get(method) ?? 0),
    );
  const clientMs = samples.map((sample) => sample.clientMs);
  const oursMs = samples.map(
    (sample, at) => sample.executorMs - sample.clientMs + (commitMs[at % commitMs.length] ?? 0),
  );
  const wholeMs = oursMs.map((ms, at) => ms + (clientMs[at] ?? 0));
  return [
    figure("engine", named("due to executed"), "ms", wholeMs),
    of("getPayload", "engine_getPayload"),
    figure("engine", named("propose and commit"), "ms", commitMs),
    of("newPayload", "engine_newPayload"),
    of("forkchoice", "engine_forkchoiceUpdated"),
    of("head read back", "eth_getBlockByNumber"),
    figure("engine", named("ours, commit included"), "ms", oursMs, {
      name: "the client's calls",
      samples: clientMs,
    }),
  ];
}

/** Of entries as large as these blocks, on the disk that is measured. */
async function commits(
  samples: readonly Sample[],
  context: SectionContext,
): Promise<readonly number[]> {
  const sizeBytes = Math.max(...samples.map(({ bytes }) => bytes));
  const cluster = await BenchCluster.start(context);
  try {
    const leader = await cluster.settled();
    const { seconds } = context.effort;
    const { latenciesMs } = await leader.load({
      inFlight: 1,
      sizeBytes,
      seconds,
      commitsMax: Number.POSITIVE_INFINITY,
    });
    return latenciesMs;
  } finally {
    await cluster.stop();
  }
}

async function transfer(nonce: number): Promise<IdentifiedTx> {
  const raw = await account.signTransaction({
    chainId: exampleGenesis.config.chainId,
    type: "eip1559",
    nonce,
    to: "0x1111111111111111111111111111111111111111",
    value: 1n,
    gas: 21_000n,
    maxFeePerGas: 10n ** 11n,
    maxPriorityFeePerGas: 10n ** 9n,
  });
  const tx = new Uint8Array(Buffer.from(raw.slice(2), "hex"));
  return { tx, id: transactionHash(tx) };
}
