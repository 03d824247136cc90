/** Why a call to the execution client has no result. Below the executor only: it says what follows for the block. */

import { CodedError } from "../../base/coded-error.ts";

export class EngineError extends CodedError<
  /** No connection, or it broke. `errno` is the system's name for it. */
  | { readonly code: "ENGINE_UNREACHABLE"; readonly url: string; readonly errno: string }
  | { readonly code: "ENGINE_TIMEOUT"; readonly method: string; readonly timeoutMs: number }
  | { readonly code: "ENGINE_UNAUTHORISED"; readonly url: string }
  | { readonly code: "ENGINE_HTTP_STATUS"; readonly url: string; readonly status: number }
  /** An answer that is not what the specification says. */
  | { readonly code: "ENGINE_MALFORMED"; readonly method: string }
  /** A JSON-RPC error: the client understood, and will not. */
  | {
      readonly code: "ENGINE_REFUSED";
      readonly method: string;
      readonly rpcCode: number;
      /** The client's own words. */
      readonly said: string;
    }
  /** SYNCING or ACCEPTED: the client lacks what it needs to judge the block. */
  | { readonly code: "ENGINE_SYNCING"; readonly method: string; readonly status: string }
  /** The client's head is not where it was left: it was restarted, and has lost or gained blocks. */
  | { readonly code: "ENGINE_MOVED"; readonly height: number }
  /** A crash has cost the client the states of blocks that it still knows, and it takes none of them again. */
  | { readonly code: "ENGINE_STUCK"; readonly height: number }
  /** The client fills blocks beyond what other members can fetch. */
  | {
      readonly code: "ENGINE_BLOCK_TOO_LARGE";
      readonly sizeBytes: number;
      readonly transactions: number;
    }
  | { readonly code: "ENGINE_CLOSED" }
  /** Whoever asked no longer wants the answer: nothing is wrong with the client. */
  | { readonly code: "ENGINE_ABANDONED"; readonly method: string }
> {}

export function unreachable(url: string, cause: unknown): EngineError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const errno = code === "" ? "unknown" : code;
  const advice = errno === "ECONNREFUSED" ? "start it, or correct the URL" : "check it and its log";
  return new EngineError(
    { code: "ENGINE_UNREACHABLE", url, errno },
    `the execution client at ${url} cannot be reached (${errno}): ${advice}`,
    { cause },
  );
}

export function timeout(url: string, method: string, timeoutMs: number): EngineError {
  return new EngineError(
    { code: "ENGINE_TIMEOUT", method, timeoutMs },
    `the execution client at ${url} has not answered ${method} within ${timeoutMs / 1000} s: it hangs ` +
      "or is overloaded; look at its log",
  );
}

export function unauthorised(url: string, said: string): EngineError {
  return new EngineError(
    { code: "ENGINE_UNAUTHORISED", url },
    `the execution client at ${url} refuses the token${quoted(said)}: give both the same JWT secret ` +
      "(--evm.jwt-secret-file), and let their clocks agree within 60 s",
  );
}

export function httpStatus(url: string, status: number, said: string): EngineError {
  return new EngineError(
    { code: "ENGINE_HTTP_STATUS", url, status },
    `${url} answers with HTTP status ${status}${quoted(said)}: is that the execution client's port?`,
  );
}

export function malformed(url: string, method: string, problem: string): EngineError {
  return new EngineError(
    { code: "ENGINE_MALFORMED", method },
    `${url} answers ${method} with something that is no such answer (${problem}): is that the ` +
      "execution client, in a version for this chain?",
  );
}

/** JSON-RPC's own code, and two of the Engine API. */
export const methodNotFound = -32601;
export const unknownPayload = -38001;
export const unsupportedFork = -38005;

export function refused(method: string, rpcCode: number, said: string): EngineError {
  const advice =
    rpcCode === unsupportedFork
      ? "it lacks a fork that its genesis, or that of another node, has; compare them and the client's version"
      : "look at its log";
  return new EngineError(
    { code: "ENGINE_REFUSED", method, rpcCode, said: oneLine(said) },
    `the execution client refuses ${method} with error ${rpcCode}${quoted(said)}: ${advice}`,
  );
}

export function isRefusal(error: unknown, rpcCode: number): boolean {
  return (
    error instanceof EngineError &&
    error.detail.code === "ENGINE_REFUSED" &&
    error.detail.rpcCode === rpcCode
  );
}

export function syncing(method: string, status: "SYNCING" | "ACCEPTED"): EngineError {
  return new EngineError(
    { code: "ENGINE_SYNCING", method, status },
    `the execution client answers ${method} with ${status}: it has not all that the block is built ` +
      "on, and is asked again",
  );
}

export function moved(height: number, problem: string): EngineError {
  return new EngineError(
    { code: "ENGINE_MOVED", height },
    `the execution client is no longer where it was left at height ${height}: ${problem}. It is asked again`,
  );
}

export function stuck(height: number): EngineError {
  return new EngineError(
    { code: "ENGINE_STUCK", height },
    `the execution client lost the states of blocks above ${height} in a crash, and keeps its head there ` +
      "because it still knows these blocks. Restart it with debug in --http.api (geth), and the node lets it " +
      "forget them; or empty its data directory and initialise it again",
  );
}

export function blockTooLarge(
  sizeBytes: number,
  transactions: number,
  limits: { readonly maxBytes: number; readonly maxTransactions: number },
): EngineError {
  return new EngineError(
    { code: "ENGINE_BLOCK_TOO_LARGE", sizeBytes, transactions },
    `the execution client has built a block of ${transactions} transactions and ${sizeBytes} bytes, and members that ` +
      `have missed one can fetch at most ${limits.maxTransactions} and ${limits.maxBytes}: empty blocks are ` +
      "built meanwhile. Lower the gas limit of all clients (--miner.gaslimit with geth): it sinks a little with each block",
  );
}

export function closed(): EngineError {
  return new EngineError(
    { code: "ENGINE_CLOSED" },
    "the connection to the execution client is closed: the node is stopping",
  );
}

export function abandoned(method: string): EngineError {
  return new EngineError(
    { code: "ENGINE_ABANDONED", method },
    `nobody waits any more for the execution client's answer to ${method}`,
  );
}

/** What a client says is foreign text: one line, and not much of it. */
const saidMaxLength = 200;

function oneLine(said: string): string {
  const line = said.replace(/[^\x20-\x7e]+/g, " ").trim();
  return line.length <= saidMaxLength ? line : `${line.slice(0, saidMaxLength)}...`;
}

function quoted(said: string): string {
  const line = oneLine(said);
  return line === "" ? "" : ` ("${line}")`;
}
