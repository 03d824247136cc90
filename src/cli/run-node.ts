/** A node as a process: its log, its signals, its end. */

import { InvariantError } from "../base/assert.ts";
import { CodedError } from "../base/coded-error.ts";
import { formatProblem } from "../config/problem.ts";
import { requireJwtSecret, requirePassphrase, resolveAdminToken } from "../config/secrets.ts";
import { Node, StartStopped } from "../node/node.ts";
import { openHome } from "../node/open-home.ts";
import { createLogger, type RootLogger } from "../observability/logger.ts";
import { type CliContext, loadContextConfig } from "./context.ts";
import { CliError } from "./errors.ts";
import { refuseEvnodeRemains } from "./evnode-remains.ts";
import { exitCodes } from "./exit-codes.ts";
import { refuseMemberAlone } from "./member-alone.ts";
import { addressProblem } from "./own-address.ts";
import { describeFailure, exitCodeOf } from "./report-error.ts";
import { requireSequencer } from "./require-sequencer.ts";
import { onStopSignal } from "./signals.ts";
import { programVersion } from "./version.ts";

/** All of a shutdown, hand-over included: well within systemd's TimeoutStopSec=30. */
const shutdownBudgetMs = 20_000;
/** Of that, for another member to take over: election timeouts, and at most so long. */
const handOverElections = 4;
const handOverBudgetMaxMs = 8_000;

/** Runs the node of this home, and ends the process. Throws what is wrong before it can begin. */
export async function runNode(context: CliContext): Promise<void> {
  const loaded = loadContextConfig(context);
  const { config, warnings } = loaded;
  requireSequencer(loaded);
  refuseEvnodeRemains(loaded);
  refuseMemberAlone(loaded);
  const passphrase = requirePassphrase(config, context.environment);
  const adminToken = resolveAdminToken(config, context.environment);
  const jwtSecret =
    config.execution.type === "engine" ? requireJwtSecret(config, context.environment) : null;
  const log = createLogger(config.log);
  process.on("SIGUSR2", () => reopen(log));
  process.on("SIGHUP", () => reopen(log));
  for (const warning of [...warnings, addressProblem(loaded)]) {
    if (warning !== null) log.warn({}, formatProblem(warning));
  }
  for (const secret of [passphrase, adminToken, jwtSecret]) {
    for (const warning of secret?.warnings ?? []) log.warn({}, warning);
  }
  const home = await openHome(config, passphrase.secret.reveal());
  for (const warning of home.warnings) log.warn({}, warning);
  const handOverBudgetMs = Math.min(
    handOverElections * config.raft.electionTimeoutMs,
    handOverBudgetMaxMs,
  );
  const ending = { handOverBudgetMs, logsToFile: config.log.file !== null };
  await untilEnd(log, ending, (onFailure) => {
    const options = {
      config,
      home,
      version: programVersion(),
      adminToken: adminToken?.secret.reveal() ?? null,
      jwtSecret: jwtSecret?.secret.reveal() ?? null,
    };
    return new Node(options, { log, onFailure });
  });
}

/** Starts the node, waits for a signal or its failure, and stops it. Throws what it failed of. */
async function untilEnd(
  log: RootLogger,
  { handOverBudgetMs, logsToFile }: { handOverBudgetMs: number; logsToFile: boolean },
  create: (onFailure: (error: Error) => void) => Node,
): Promise<void> {
  const ending = new Promise<Error | null>((resolve) => {
    const node = create(resolve);
    onStopSignal(["SIGTERM", "SIGINT"], (signal) => {
      log.info({ signal }, "shutting down");
      const budget = setTimeout(() => {
        log.error({ budgetMs: shutdownBudgetMs }, "the shutdown took too long, ending at once");
        log.flush();
        // `process.exit` waits for the other threads, and one of them may be what hangs.
        process.kill(process.pid, "SIGKILL");
      }, shutdownBudgetMs);
      node
        .drain(handOverBudgetMs)
        .then(() => node.stop())
        .then(() => {
          clearTimeout(budget);
          resolve(null);
        }, resolve);
    });
    node.start().catch((error: Error) => {
      // Told to stop while it was starting, it cannot go on: that is as it should be.
      if (!(error instanceof StartStopped)) resolve(error);
    });
    process.once("uncaughtException", (error) => resolve(strayOf(error)));
  });
  const failure = await ending;
  if (failure !== null) {
    // Nothing is tidied up after a failure: what is on disk is right at any moment, and a server that
    // contradicts itself must not go on for another instant.
    // Standard output and standard error end up in one journal: there the sentence need not stand twice.
    const exitCode = exitCodeOf(failure);
    log.error(logsToFile ? { exitCode, reason: failure.message } : { exitCode }, "the node stops");
    log.flush();
    process.stderr.write(`${describeFailure(failure, { withStack: false })}\n`);
    process.exit(exitCode);
  }
  log.info({}, "stopped");
  log.close();
  process.exit(exitCodes.clean);
}

/**
 * Of an exception outside of any call that somebody waits for. Where it is no word of ours but some library's, a restart
 * may be all that it takes, and must not be forbidden (70).
 */
function strayOf(error: Error): Error {
  if (error instanceof InvariantError || error instanceof CodedError) return error;
  return new CliError(
    { code: "CLI_STRAY" },
    `nobody expected this; the node starts again and goes on: ${error.stack ?? error.message}`,
    { cause: error },
  );
}

function reopen(log: RootLogger): void {
  try {
    log.reopen();
  } catch (error) {
    log.error(
      { reason: error instanceof Error ? error.message : String(error) },
      "cannot reopen the log",
    );
  }
}
