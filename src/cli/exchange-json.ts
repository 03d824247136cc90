/** One request to a server that may be anything: within limits of time and size, and never a throw. */

import { describeError } from "../base/coded-error.ts";

export type Exchange =
  | {
      readonly kind: "answered";
      readonly status: number;
      /** undefined if the answer is no JSON. */
      readonly body: unknown;
    }
  /** `reason` continues "10.0.0.1:26657" in a sentence. */
  | { readonly kind: "unanswered"; readonly reason: string };

export interface JsonRequest {
  /** `host:port`. */
  readonly address: string;
  readonly path: string;
  readonly timeoutMs: number;
  /** POSTed as JSON; without it the request is a GET. */
  readonly body?: object;
  /** Sent as a Bearer token. */
  readonly token?: string;
}

/** Many times the `/cluster` of the largest cluster. */
const answerMaxBytes = 1024 * 1024;

export async function exchangeJson(request: JsonRequest): Promise<Exchange> {
  const { address, path, timeoutMs, body, token } = request;
  try {
    const response = await fetch(`http://${address}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      // A node never sends elsewhere, and a token is for nobody else.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await readText(response);
    if (text !== null) return { kind: "answered", status: response.status, body: parse(text) };
    return unanswered(`sends more than ${answerMaxBytes} bytes, as no node does: ${whoElse}`);
  } catch (error) {
    return unanswered(whyUnanswered(error, timeoutMs));
  }
}

const whoElse = "is this the rpc.address of a node?";

/** null if it is too long. */
async function readText(response: Response): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > answerMaxBytes) return null;
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function whyUnanswered(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === "TimeoutError") {
    return `does not answer within ${timeoutMs / 1000}s: the node hangs, or a firewall is between`;
  }
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && cause.name === "HTTPParserError") {
    return `does not speak HTTP: ${whoElse}`;
  }
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  switch (code) {
    case "ECONNREFUSED":
      return "refuses the connection: the node does not run, or has another rpc.address";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `has a name that cannot be resolved (${code})`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ETIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
      return `cannot be reached (${code})`;
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return `closes the connection without an answer: ${whoElse}`;
    default:
      return `cannot be asked: ${describeError(error)}`;
  }
}

function unanswered(reason: string): Exchange {
  return { kind: "unanswered", reason };
}
