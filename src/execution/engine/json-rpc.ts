/** JSON-RPC 2.0 over HTTP to one endpoint of the execution client: a checked result, or an EngineError. */

import { z } from "zod";
import { CallWatch } from "./call-watch.ts";
import { httpStatus, malformed, refused, unauthorised } from "./errors.ts";
import { type HttpAnswer, HttpEndpoint } from "./http-endpoint.ts";

export interface JsonRpcOptions {
  readonly url: string;
  /** The token of a request that goes out now; null where the endpoint asks for none. */
  readonly token: (() => string) | null;
  /** Hears of every call; several clients may share one. */
  readonly watch?: CallWatch;
}

export interface Call<T> {
  readonly method: string;
  readonly params: readonly unknown[];
  readonly timeoutMs: number;
  /** Past this edge a result is what it says. */
  readonly result: z.ZodType<T>;
}

/** A block's payload with its blobs, in hexadecimal, several times over. */
const answerMaxBytes = 64 * 1024 ** 2;

/** Blocks are executed one after the other, the other calls are cheap reads. */
const connectionsMax = 8;

const answerSchema = z.object({
  id: z.number().nullable(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).nullish(),
});

export class JsonRpcClient {
  readonly #endpoint: HttpEndpoint;
  readonly #token: (() => string) | null;
  readonly #watch: CallWatch;
  #lastId = 0;

  constructor({ url, token, watch = new CallWatch(() => {}) }: JsonRpcOptions) {
    this.#endpoint = new HttpEndpoint({ url, connectionsMax, answerMaxBytes });
    this.#token = token;
    this.#watch = watch;
  }

  /** For logs: without a password. */
  get url(): string {
    return this.#endpoint.url;
  }

  /** Throws EngineError if there is no result. */
  async call<T>(call: Call<T>): Promise<T> {
    return await this.#watch.during(call.method, () => this.#call(call));
  }

  /** Calls under way and later ones fail. May be called twice. */
  close(): void {
    this.#endpoint.close();
  }

  async #call<T>({ method, params, timeoutMs, result }: Call<T>): Promise<T> {
    const id = ++this.#lastId;
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const token = this.#token;
    const headers = () => (token === null ? {} : ({ authorization: `Bearer ${token()}` } as const));
    const answer = await this.#endpoint.post({ method, body, timeoutMs, headers });
    return decodeAnswer(answer, { url: this.url, method, id, result });
  }
}

/** The result in an answer to the call `id`. Throws EngineError if it holds none. */
export function decodeAnswer<T>(
  { status, body }: HttpAnswer,
  { url, method, id, result }: Pick<Call<T>, "method" | "result"> & Asked,
): T {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8");
  if (status === 401 || status === 403) throw unauthorised(url, text);
  // Clients send JSON-RPC errors with status 200, and some with another: the error tells more.
  const parsed = answerSchema.safeParse(parseJson(text));
  if (!parsed.success && status !== 200) throw httpStatus(url, status, text);
  if (!parsed.success) throw malformed(url, method, "no JSON-RPC answer");
  const { error } = parsed.data;
  if (error) throw refused(method, error.code, error.message);
  if (status !== 200) throw httpStatus(url, status, text);
  if (parsed.data.id !== id) throw malformed(url, method, `the id is ${parsed.data.id}`);
  const decoded = result.safeParse(parsed.data.result);
  if (decoded.success) return decoded.data;
  const issue = decoded.error.issues[0];
  const path = issue === undefined ? "" : `result.${issue.path.join(".")}: ${issue.message}`;
  throw malformed(url, method, path);
}

/** Whom what was asked, for errors and to tell answers apart. */
interface Asked {
  readonly url: string;
  readonly id: number;
}

/** Undefined, which no schema takes, if `text` is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
