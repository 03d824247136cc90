/** HTTP requests as the routes read them: paths, queries, headers and bodies, JSON-RPC calls among these. */

import { parse as parseQuery } from "node:querystring";
import type { FastifyRequest } from "fastify";
import { concatBytes } from "../../../src/base/bytes.ts";
import type { Answer, Route } from "../../../src/rpc/answer.ts";
import { answerUnknown } from "../../../src/rpc/endpoints.ts";
import { Refusal } from "../../../src/rpc/errors.ts";
import { defaultRpcLimits } from "../../../src/rpc/options.ts";
import { createRoutes } from "../../../src/rpc/routes.ts";
import { defaults } from "../../rpc/harness.ts";
import { MemoryNode } from "../../rpc/memory-node.ts";
import { json } from "../shapes.ts";
import { expectThat, type Outcome, type Target, textOf, utf8 } from "../target.ts";

/** A node keeps what it is sent: after so many requests another one takes its place. */
const requestsPerNode = 64;

const signal = new AbortController().signal;

class Server {
  readonly routes: readonly Route[];
  requests = 0;
  /** What was thrown and is no refusal: a client would be told that the server failed. */
  failure: unknown = null;

  constructor() {
    const node = new MemoryNode();
    const answered = { kind: "answered", json: '{"jsonrpc":"2.0","id":1,"result":"0x1"}' } as const;
    node.ethereum = {
      pass: async (call) => {
        JSON.parse(call.json);
        return answered;
      },
    };
    void node.submit({ tx: utf8("a=1"), idempotencyKey: null, wait: "commit", signal });
    this.routes = createRoutes(defaults([]), {
      api: node,
      limits: defaultRpcLimits,
      clientSignal: () => signal,
      refusalOf: (error) => {
        if (error instanceof Refusal) return error;
        this.failure ??= error;
        return new Refusal({ code: "INTERNAL", incident: "x" }, "It failed.");
      },
    });
  }
}

let server = new Server();

const emptyLine = utf8("\n\n");

/** As HTTP has it: method and target in the first line, headers, an empty line, the body. */
async function checkRequest(input: Uint8Array): Promise<Outcome> {
  if (server.requests++ >= requestsPerNode) server = new Server();
  const { head, body } = split(input);
  const [first = "", ...lines] = textOf(head).split("\n");
  const [method = "", target = ""] = first.split(" ");
  const [path = "", query = ""] = target.split("?");
  const route = server.routes.find((one) => one.method === method && paramsOf(one, path) !== null);
  const request = {
    method,
    url: target,
    body: Buffer.from(body),
    params: route === undefined ? {} : paramsOf(route, path),
    query: { ...parseQuery(query) },
    headers: Object.fromEntries(lines.map((line) => line.split(": "))),
    socket: { remoteAddress: "127.0.0.1", destroyed: false },
    ip: "127.0.0.1",
    // The routes use no more of it.
  } as unknown as FastifyRequest;
  const answer = await answerTo(server, route, request);
  const { failure } = server;
  server.failure = null;
  if (failure !== null) throw failure;
  return answer === null ? "refused" : outcomeOf(answer);
}

/** null if it is refused. */
async function answerTo(
  { routes }: Server,
  route: Route | undefined,
  request: FastifyRequest,
): Promise<Answer | null> {
  try {
    return route === undefined ? answerUnknown(routes, request) : await route.handle(request);
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}

function outcomeOf({ status, contentType, body }: Answer): Outcome {
  expectThat(status < 500, `is answered with ${status}`);
  if (contentType.startsWith("application/json") && body !== "") JSON.parse(body);
  return status < 300 ? "taken" : "refused";
}

function split(input: Uint8Array): { readonly head: Uint8Array; readonly body: Uint8Array } {
  const at = Buffer.from(input.buffer, input.byteOffset, input.length).indexOf(emptyLine);
  if (at < 0) return { head: input, body: new Uint8Array() };
  return { head: input.subarray(0, at), body: input.subarray(at + emptyLine.length) };
}

/** What fastify's router takes out of the path; null if it is not the route's. */
function paramsOf({ path }: Route, given: string): Record<string, string> | null {
  const text = decoded(given);
  if (text === null) return null;
  if (path.endsWith("/*")) {
    const prefix = path.slice(0, -1);
    return text.startsWith(prefix) ? { "*": text.slice(prefix.length) } : null;
  }
  const [fixed = "", name] = path.split(":");
  if (name === undefined) return text === path ? {} : null;
  const value = text.startsWith(fixed) ? text.slice(fixed.length) : "";
  return value === "" || value.includes("/") ? null : { [name]: value };
}

function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

function request(line: string, body = "", type = "application/json"): Uint8Array {
  return concatBytes([
    utf8(`${line}\ncontent-type: ${type}\nidempotency-key: k-1\n\n`),
    utf8(body),
  ]);
}

function call(method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
}

const calls = [
  call("status", {}),
  call("block", { height: "1" }),
  call("block", [1]),
  call("broadcast_tx_commit", { tx: "az12", idempotency_key: "k-2" }),
  call("eth_getBlockByNumber", ["latest", false]),
  call("eth_sendRawTransaction", ["0x6b3d76"]),
];

export const rpcTargets: readonly Target[] = [
  {
    name: "http-request",
    shape: json,
    seeds: [
      request("GET /block/1"),
      request("GET /block?height=latest"),
      request("GET /state/a?consistency=stale"),
      request("POST /tx", "k=v", "text/plain"),
      request("POST /tx?wait=commit", '{"type":"kv:put","key":"k","value":"v"}'),
      request("GET /status"),
      request("GET /"),
    ],
    words: [
      "GET ",
      "POST ",
      "/block/",
      "/block?hash=",
      "/state/",
      "/tx?wait=accept",
      "/admin/transfer-leader",
      "/health/ready",
      "/cluster",
      "%ff",
      "%2f",
      "&height=1",
      "authorization: Bearer x\n",
      "content-type: application/json\n",
      "\n\n",
    ].map(utf8),
    check: checkRequest,
  },
  {
    name: "json-rpc",
    shape: json,
    seeds: [...calls.slice(0, 5), `[${calls.join(",")}]`].map((body) => request("POST /", body)),
    words: [
      ...calls.slice(3),
      '"id":null',
      '"method":"eth_',
      '"method":"admin_transferLeader"',
    ].map(utf8),
    check: checkRequest,
  },
];
