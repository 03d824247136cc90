/** The one place that turns whatever a command threw into a line for people and an exit code. */

import { InvariantError, unreachable } from "../base/assert.ts";
import { CodedError, describeError } from "../base/coded-error.ts";
import { BlockError } from "../block/errors.ts";
import { ConfigError } from "../config/problem.ts";
import { DevnetError } from "../devnet/errors.ts";
import { ExecutionError } from "../execution/errors.ts";
import { HomeError } from "../home/errors.ts";
import { ObservabilityError } from "../observability/errors.ts";
import { P2pError } from "../p2p/errors.ts";
import { RpcError } from "../rpc/errors.ts";
import { SequencerError } from "../sequencer/errors.ts";
import { StorageError } from "../storage/errors.ts";
import { TransportError } from "../transport/errors.ts";
import { CliError } from "./errors.ts";
import { type ExitCode, exitCodes } from "./exit-codes.ts";

/** The text for standard error, without the final line feed. `withStack` is for log.level debug. */
export function describeFailure(
  error: unknown,
  { withStack }: { readonly withStack: boolean },
): string {
  // A typed error's message is complete. Of anything else the causes may be all there is to learn.
  const message = error instanceof CodedError ? error.message : describeError(error);
  const stack = error instanceof Error && (withStack || isBug(error)) ? `\n${error.stack}` : "";
  return `evm: ${message}${stack}`;
}

/** Nobody foresaw it: without a stack there is nothing to report. */
function isBug(error: unknown): boolean {
  return !(error instanceof CodedError) && !isSystemError(error);
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof InvariantError) return exitCodes.broken;
  if (error instanceof ConfigError) return exitCodes.config;
  if (error instanceof CliError) return cliExitCode(error.code);
  if (error instanceof HomeError) {
    return error.code === "HOME_IO" ? exitCodes.io : exitCodes.config;
  }
  if (error instanceof DevnetError) return devnetExitCode(error.code);
  if (error instanceof SequencerError) return exitCodes.broken;
  if (error instanceof StorageError) return storageExitCode(error.code);
  if (error instanceof TransportError) return transportExitCode(error.code);
  if (error instanceof P2pError) return p2pExitCode(error.code);
  if (error instanceof ExecutionError) return executionExitCode(error.code);
  if (error instanceof ObservabilityError) return observabilityExitCode(error.code);
  if (error instanceof RpcError) return exitCodes.unavailable;
  if (error instanceof BlockError) {
    return error.code === "BLOCK_DAMAGED" ? exitCodes.io : exitCodes.broken;
  }
  return isSystemError(error) ? exitCodes.io : exitCodes.broken;
}

function cliExitCode(code: CliError["code"]): ExitCode {
  switch (code) {
    case "CLI_USAGE":
      return exitCodes.usage;
    case "CLI_UNAUTHORIZED":
      return exitCodes.config;
    case "CLI_UNAVAILABLE":
    case "CLI_STRAY":
      return exitCodes.unavailable;
  }
}

function devnetExitCode(code: DevnetError["code"]): ExitCode {
  switch (code) {
    case "DEVNET_FOREIGN_DIRECTORY":
      return exitCodes.usage;
    case "DEVNET_LOCKED":
    case "DEVNET_NO_PORT":
      return exitCodes.unavailable;
    case "DEVNET_IO":
      return exitCodes.io;
    case "DEVNET_FAILED":
      return exitCodes.broken;
  }
}

function storageExitCode(code: StorageError["code"]): ExitCode {
  switch (code) {
    case "STORAGE_LOCKED":
      return exitCodes.unavailable;
    case "STORAGE_VOLATILE":
    case "STORAGE_FOREIGN_CHAIN":
    case "STORAGE_FOREIGN_NODE":
      return exitCodes.config;
    case "STORAGE_DOUBLE_SIGN":
      return exitCodes.broken;
    default:
      return exitCodes.io;
  }
}

function executionExitCode(code: ExecutionError["code"]): ExitCode {
  switch (code) {
    case "EXECUTION_DIVERGED":
    case "EXECUTION_CLIENT_DIVERGED":
    case "EXECUTION_REJECTED":
    case "EXECUTION_UNRUNNABLE":
    case "EXECUTION_GAP":
    case "EXECUTION_FORGOTTEN":
      return exitCodes.broken;
    case "EXECUTION_FOREIGN":
    case "EXECUTION_UNSUITABLE":
      return exitCodes.config;
    case "EXECUTION_NEWER":
      return exitCodes.io;
    case "EXECUTION_UNAVAILABLE":
      return exitCodes.unavailable;
    default:
      return unreachable(code);
  }
}

function transportExitCode(code: TransportError["code"]): ExitCode {
  return code === "TRANSPORT_BAD_ADDRESS" || code === "TRANSPORT_BAD_ALLOW_FROM"
    ? exitCodes.config
    : exitCodes.unavailable;
}

function p2pExitCode(code: P2pError["code"]): ExitCode {
  switch (code) {
    case "P2P_BAD_ADDRESS":
    case "P2P_BAD_KEY":
    case "P2P_FOREIGN_CHAIN":
      return exitCodes.config;
    case "P2P_ADDRESS_IN_USE":
    case "P2P_ADDRESS_NOT_LOCAL":
    case "P2P_PORT_FORBIDDEN":
    case "P2P_LISTEN_FAILED":
    // The progress is forgotten by then: the next start begins anew.
    case "P2P_PROGRESS_DAMAGED":
      return exitCodes.unavailable;
    case "P2P_DIVERGED":
      return exitCodes.broken;
    default:
      return unreachable(code);
  }
}

function observabilityExitCode(code: ObservabilityError["code"]): ExitCode {
  switch (code) {
    case "LOG_FILE_UNUSABLE":
      return exitCodes.io;
    case "METRICS_NAMESPACE_INVALID":
      return exitCodes.config;
    default:
      return exitCodes.unavailable;
  }
}

/** From the file system or a socket: has `syscall`, unlike a bug. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
