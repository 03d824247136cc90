/** What the HTTP server is told at its start, and the limits that keep clients from harming the node. */

type Facts = Readonly<Record<string, unknown>>;

/** The part of the node's logger that the server uses. */
export interface RpcLogger {
  debug(facts: Facts, sentence: string): void;
  info(facts: Facts, sentence: string): void;
  warn(facts: Facts, sentence: string): void;
  error(facts: Facts, sentence: string): void;
  /** For lines that a stranger can provoke: null while this key had its line within `intervalMs`. */
  every(key: string, intervalMs: number): RpcLogger | null;
}

/** How often strangers may write one and the same line to the log. */
export const strangerLogIntervalMs = 60_000;

export interface TxRate {
  readonly perSecond: number;
  /** Transactions that may arrive at once after a quiet time. */
  readonly burst: number;
}

export interface RpcLimits {
  /** A larger body is answered with 413. */
  readonly bodyMaxBytes: number;
  /** Request line and headers; beyond it 431. */
  readonly headersMaxBytes: number;
  /** Connections beyond it are closed as they arrive. */
  readonly connectionsMax: number;
  /** Requests under way, waiting for a commit or otherwise; beyond it 503. Probes are not counted. */
  readonly requestsInFlightMax: number;
  /** Bytes of the bodies of those requests; beyond it 503. */
  readonly bodiesInFlightMaxBytes: number;
  /** Bytes of large answers that their clients have not read yet; beyond it 503. */
  readonly answersInFlightMaxBytes: number;
  /** How long a client may take to read a large answer; then its connection is closed. */
  readonly answerTimeoutMs: number;
  /** Calls in one JSON-RPC batch; a longer one is refused whole. */
  readonly batchMax: number;
  /** Bytes of the answer to one batch; the calls that no longer fit get an error each. */
  readonly batchAnswerMaxBytes: number;
  /** From the connection, or the answer before, to the end of the headers; then 408. */
  readonly headersTimeoutMs: number;
  /** To the end of the body; then 408. ev-node's read timeout. */
  readonly requestTimeoutMs: number;
  /** Silence in both directions. It must exceed the longest wait for a commit, which is silent too. */
  readonly connectionTimeoutMs: number;
  /** An idle kept-alive connection; above the 60 s after which common load balancers close theirs. */
  readonly keepAliveTimeoutMs: number;
  /** How often the two read timeouts are looked at: what they are late by, at most. */
  readonly timeoutCheckMs: number;
  /** How long `stop` lets open requests end before it closes their connections. */
  readonly stopTimeoutMs: number;
}

export const defaultRpcLimits: RpcLimits = {
  bodyMaxBytes: 2 * 1024 * 1024,
  headersMaxBytes: 16 * 1024,
  connectionsMax: 1024,
  requestsInFlightMax: 16_384,
  bodiesInFlightMaxBytes: 128 * 1024 * 1024,
  answersInFlightMaxBytes: 128 * 1024 * 1024,
  answerTimeoutMs: 60_000,
  // ethers puts up to so many into one.
  batchMax: 100,
  batchAnswerMaxBytes: 16 * 1024 * 1024,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  connectionTimeoutMs: 120_000,
  keepAliveTimeoutMs: 75_000,
  timeoutCheckMs: 1_000,
  stopTimeoutMs: 5_000,
};

/** Hears what is asked and what becomes of it, for metrics. */
export interface RpcObserver {
  answered(answer: RpcAnswer): void;
  /** A client's transaction is in a committed block, so long after it arrived. */
  txCommitted(seconds: number): void;
  /** A transaction was not taken; the reason is a refusal's code in lower case. */
  txRefused(reason: string): void;
}

export interface RpcAnswer {
  /** The pattern, `/block/:height`; a path that is none of ours is `unknown`. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface RpcOptions {
  /** The two parts of `rpc.address`; port 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** null: admin paths answer loopback only, which is not enough behind a proxy. Otherwise they want it as a Bearer token, from everywhere. */
  readonly adminToken: string | null;
  /** For the whole node; null is no limit. */
  readonly txRate: TxRate | null;
  readonly limits?: Partial<RpcLimits>;
  readonly log: RpcLogger;
  readonly observer?: RpcObserver;
  /** Hears of a broken invariant met while answering: the process must stop. */
  readonly onFailure: (error: unknown) => void;
}
