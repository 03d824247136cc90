/** The executor, from the configuration: the embedded store, or an Ethereum client. */

import { defined } from "../base/assert.ts";
import { sleep } from "../base/task-group.ts";
import { EngineExecutor } from "../execution/engine/engine.ts";
import { parseJwtSecret } from "../execution/engine/jwt.ts";
import { WalletCalls } from "../execution/engine/wallet-calls.ts";
import { ExecutionError } from "../execution/errors.ts";
import type { Executor } from "../execution/executor.ts";
import { KvExecutor } from "../execution/kv.ts";
import type { NodeContext } from "./context.ts";

export interface Execution {
  readonly executor: Executor;
  /** null where the state is in an execution client. */
  readonly kv: KvExecutor | null;
  /** null where there is no Ethereum client. */
  readonly wallets: WalletCalls | null;
}

const retryMs = 1_000;
const tellEveryMs = 10_000;

/** Throws StorageError or ExecutionError if the embedded store cannot be used. */
export function createExecution(context: NodeContext): Execution {
  const { config } = context.options;
  if (config.execution.type === "engine") {
    const wallets = new WalletCalls(config.evm.ethUrl);
    return { executor: createEngine(context), kv: null, wallets };
  }
  const kv = new KvExecutor({
    directory: config.dbPath,
    fileMaxBytes: config.storage.mapSizeBytes,
  });
  return { executor: kv, kv, wallets: null };
}

function createEngine({ options, log, metrics }: NodeContext): EngineExecutor {
  const { evm, node } = options.config;
  const { engineUrl, ethUrl, genesisHash, feeRecipient, safeLag, finalizedLag, txLifetimeMs } = evm;
  const jwtSecret = defined(options.jwtSecret, "an execution client comes with a secret");
  return new EngineExecutor(
    {
      engineUrl,
      ethUrl,
      jwtSecret: parseJwtSecret(jwtSecret),
      genesisHash,
      feeRecipient,
      safeLag,
      finalizedLag,
      blockTimeNs: BigInt(Math.round(node.blockTimeMs * 1e6)),
      txLifetimeMs,
    },
    {
      connected: ({ version, buildsBlocks, headHeight, lacksDebug }) => {
        const builder = buildsBlocks ? "the client" : "this node";
        log.info({ client: version, builder, height: headHeight }, "execution client connected");
        if (!lacksDebug) return;
        const reason = "add debug to geth's --http.api";
        log.warn({ reason }, "execution client may need to be wiped after a crash of its own");
      },
      called: ({ method, seconds, hasFailed }) => {
        const { callDuration, callsFailed } = metrics.execution;
        callDuration.observe({ method }, seconds);
        callsFailed.inc({ method }, hasFailed ? 1 : 0);
      },
    },
  );
}

/**
 * What `ask` answers, once the executor is there to answer. Throws what no wait can mend, or once `signal` aborts.
 */
export async function untilAvailable<T>(
  { log, metrics }: NodeContext,
  signal: AbortSignal,
  ask: () => Promise<T>,
): Promise<T> {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      const answer = await ask();
      metrics.execution.healthy.set(1);
      return answer;
    } catch (error) {
      if (!isTransient(error) || signal.aborted) throw error;
      metrics.execution.healthy.set(0);
      if (performance.now() - toldAtMs >= tellEveryMs) {
        toldAtMs = performance.now();
        log.warn({ reason: error.message }, "waiting for the execution client");
      }
      await sleep(retryMs, signal);
    }
  }
}

function isTransient(error: unknown): error is ExecutionError {
  return error instanceof ExecutionError && error.code === "EXECUTION_UNAVAILABLE";
}
