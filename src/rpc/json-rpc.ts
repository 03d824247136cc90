/** `POST /`: JSON-RPC 2.0, one call or a batch. The protocol only; what can be called is in json-rpc-methods.ts. */

import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { type Answer, json, jsonType, type Route, refusalHeaders } from "./answer.ts";
import { bodyBytes, decodeJson } from "./decode.ts";
import { badRequest, httpStatusOf, Refusal, type RefusalCode } from "./errors.ts";
import type { MethodTable } from "./json-rpc-methods.ts";
import { isWalletMethod, type Wallets, walletMethods } from "./wallets.ts";

export interface JsonRpcOptions {
  readonly batchMax: number;
  readonly batchAnswerMaxBytes: number;
  /** null where there is no Ethereum client. */
  readonly wallets: Wallets | null;
  /** What to tell a client of an error that is not its fault. */
  readonly refusalOf: (error: unknown, request: FastifyRequest) => Refusal;
}

type JsonRpcId = string | number | null;

const callSchema = z.object({
  jsonrpc: z.literal("2.0"),
  /** Absent in a notification, which gets no answer. */
  id: z.union([z.string(), z.number(), z.null()]).optional(),
  method: z.string(),
  params: z.unknown().optional(),
});
type Call = z.infer<typeof callSchema>;

export function jsonRpcRoutes(methods: MethodTable, options: JsonRpcOptions): readonly Route[] {
  const server = new JsonRpcServer(methods, options);
  return [
    {
      method: "POST",
      path: "/",
      summary: `JSON-RPC 2.0: ${methodNames(methods, options).join(", ")}`,
      refuse: transportRefusal,
      handle: (request) => server.handle(request),
    },
  ];
}

function methodNames(methods: MethodTable, { wallets }: JsonRpcOptions): string[] {
  return [...methods.keys(), ...(wallets === null ? [] : walletMethods)];
}

class JsonRpcServer {
  readonly #methods: MethodTable;
  readonly #options: JsonRpcOptions;

  constructor(methods: MethodTable, options: JsonRpcOptions) {
    this.#methods = methods;
    this.#options = options;
  }

  async handle(request: FastifyRequest): Promise<Answer> {
    let body: unknown;
    try {
      body = decodeJson(bodyBytes(request.body));
    } catch (error) {
      const refusal = this.#options.refusalOf(error, request);
      return serialised(errorText(null, parseError, refusal.message));
    }
    if (Array.isArray(body)) return this.#batch(body, request);
    const call = this.#parse(body);
    const answer = call instanceof Refusal ? invalidCall(call) : await this.#call(call, request);
    return answer === null ? nothing : serialised(answer);
  }

  /**
   * Calls that wait for a commit wait together, for the same block. The others run in turn, so that
   * a batch of large blocks is stopped before it has filled the memory.
   */
  async #batch(items: readonly unknown[], request: FastifyRequest): Promise<Answer> {
    const { batchMax, batchAnswerMaxBytes } = this.#options;
    if (items.length === 0 || items.length > batchMax) {
      const message = `A batch has 1 to ${batchMax} calls; this one has ${items.length}.`;
      return serialised(invalidCall(badRequest(message)));
    }
    const calls = items.map((item) => this.#parse(item));
    const waiting = calls.map((call) =>
      !(call instanceof Refusal) && this.#methods.get(call.method)?.waitsForCommit === true
        ? this.#call(call, request)
        : null,
    );
    const answers: string[] = [];
    let bytesLeft = batchAnswerMaxBytes;
    for (const [at, call] of calls.entries()) {
      const answer =
        call instanceof Refusal
          ? invalidCall(call)
          : await (waiting[at] ?? this.#callWithin(bytesLeft, call, request));
      if (answer === null) continue;
      answers.push(answer);
      bytesLeft -= answer.length;
    }
    if (answers.length === 0) return nothing;
    const mustGoOut = calls.some((call) => !(call instanceof Refusal) && sends(call));
    return { ...serialised(`[${answers.join(",")}]`), mustGoOut };
  }

  async #callWithin(
    bytesLeft: number,
    call: Call,
    request: FastifyRequest,
  ): Promise<string | null> {
    if (bytesLeft > 0) return this.#call(call, request);
    const max_bytes = this.#options.batchAnswerMaxBytes;
    return refusalText(
      call.id ?? null,
      new Refusal(
        { code: "RESPONSE_TOO_LARGE", max_bytes },
        `The answer to this batch has reached ${max_bytes} bytes. Ask for the rest in another one.`,
      ),
    );
  }

  /** The answer, serialised; null to a notification. Never rejects. */
  async #call(call: Call, request: FastifyRequest): Promise<string | null> {
    const answer = await this.#answer({ ...call, id: call.id ?? null }, request);
    return call.id === undefined ? null : answer;
  }

  async #answer(call: Call & { readonly id: JsonRpcId }, request: FastifyRequest): Promise<string> {
    const { wallets, refusalOf } = this.#options;
    if (wallets !== null && isWalletMethod(call.method)) return await wallets.answer(call, request);
    const { id } = call;
    try {
      const method = this.#methods.get(call.method);
      if (method === undefined) throw this.#unknownMethod(call.method);
      const result = await method.run(call.params, request);
      return JSON.stringify({ jsonrpc: "2.0", id, result });
    } catch (error) {
      return refusalText(id, refusalOf(error, request));
    }
  }

  #parse(item: unknown): Call | Refusal {
    const call = callSchema.safeParse(item);
    if (call.success) return call.data;
    return badRequest(
      'A call is an object {"jsonrpc":"2.0","id":1,"method":"status","params":{}}; the id a string or a number.',
    );
  }

  #unknownMethod(name: string): Refusal {
    const known = methodNames(this.#methods, this.#options).join(", ");
    return new Refusal(
      { code: "METHOD_NOT_FOUND" },
      `There is no method ${JSON.stringify(name.slice(0, 100))}; there are ${known}.`,
    );
  }
}

interface JsonRpcError {
  readonly code: number;
  readonly message: string;
}

const parseError: JsonRpcError = { code: -32700, message: "Parse error" };
const invalidRequest: JsonRpcError = { code: -32600, message: "Invalid Request" };

/** The specification's codes where they fit, else its "server error". */
const namedErrors: Partial<Record<RefusalCode, JsonRpcError>> = {
  METHOD_NOT_FOUND: { code: -32601, message: "Method not found" },
  BAD_REQUEST: { code: -32602, message: "Invalid params" },
  INVALID_TRANSACTION: { code: -32602, message: "Invalid params" },
  INTERNAL: { code: -32603, message: "Internal error" },
};

function refusalText(id: JsonRpcId, refusal: Refusal): string {
  const error = namedErrors[refusal.code] ?? { code: -32000, message: refusal.code };
  return errorText(id, error, refusal.message);
}

function invalidCall(refusal: Refusal): string {
  return errorText(null, invalidRequest, refusal.message);
}

/** `data` is a string in CometBFT, and its Go clients refuse anything else: it has the sentence. */
function errorText(id: JsonRpcId, { code, message }: JsonRpcError, data: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, data } });
}

/** Whether it hands in a transaction. */
function sends({ method }: Call): boolean {
  return method.startsWith("broadcast_tx_") || method === "eth_sendRawTransaction";
}

/** Errors of a call are answered with 200, as JSON-RPC over HTTP does. */
function serialised(body: string): Answer {
  return { status: 200, contentType: jsonType, body };
}

/** To notifications alone there is no answer. */
const nothing: Answer = { status: 204, contentType: jsonType, body: "" };

/** A request refused before its calls were read: too large, too busy. The status stays HTTP's. */
function transportRefusal(refusal: Refusal): Answer {
  const error = namedErrors[refusal.code] ?? { code: -32000, message: refusal.code };
  return {
    ...json(
      { jsonrpc: "2.0", id: null, error: { ...error, data: refusal.message } },
      httpStatusOf[refusal.code],
    ),
    headers: refusalHeaders(refusal),
  };
}
