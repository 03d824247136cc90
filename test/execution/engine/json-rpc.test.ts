import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { EngineError } from "../../../src/execution/engine/errors.ts";
import { JsonRpcClient } from "../../../src/execution/engine/json-rpc.ts";
import { type Handler, Refusal, ScriptedServer } from "./scripted-server.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function connect(handler: Handler, path = "") {
  const server = new ScriptedServer(handler);
  const url = await server.start();
  closers.push(() => server.stop());
  return { server, client: clientOf(url + path) };
}

function clientOf(url: string): JsonRpcClient {
  const client = new JsonRpcClient({ url, token: () => "the-token" });
  closers.push(() => client.close());
  return client;
}

function ask(client: JsonRpcClient, timeoutMs = 30_000): Promise<string> {
  return client.call({ method: "m_ask", params: [1, "b"], timeoutMs, result: z.string() });
}

async function failureOf(call: Promise<unknown>): Promise<EngineError> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EngineError);
  return error as EngineError;
}

describe("a call", () => {
  it("carries the token, the method and its parameters, and returns the result", async () => {
    const { server, client } = await connect(() => "yes", "/path");
    expect(await ask(client)).toBe("yes");
    expect(server.asked).toMatchObject([
      { method: "m_ask", params: [1, "b"], headers: { authorization: "Bearer the-token" } },
    ]);
  });

  it("reuses its connection", async () => {
    const { server, client } = await connect(() => "yes");
    for (let i = 0; i < 20; i++) await ask(client);
    expect(server.connectionCount).toBe(1);
  });

  it("is sent once more where the server was closing the idle connection just then", async () => {
    const { server, client } = await connect(({ connection }, response) =>
      connection === 1 && server.asked.length === 2 ? void response.destroy() : "yes",
    );
    expect(await ask(client)).toBe("yes");
    expect(await ask(client)).toBe("yes");
    expect(server.asked.map(({ connection }) => connection)).toEqual([1, 1, 2]);
  });

  it("is not sent again where a new connection breaks", async () => {
    const { server, client } = await connect((_asked, response) => void response.destroy());
    await failureOf(ask(client));
    expect(server.asked).toHaveLength(1);
  });

  it("is refused with the client's own code and words", async () => {
    const { client } = await connect(() => new Refusal(-38005, "Unsupported fork"));
    const error = await failureOf(ask(client));
    const said = "Unsupported fork";
    expect(error.detail).toEqual({
      code: "ENGINE_REFUSED",
      method: "m_ask",
      rpcCode: -38005,
      said,
    });
    expect(error.message).toContain('-38005 ("Unsupported fork")');
  });

  it("takes a JSON-RPC error for what it is under any HTTP status", async () => {
    const { client } = await connect((_asked, response) => {
      response.statusCode = 400;
      response.end('{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}');
    });
    expect((await failureOf(ask(client))).detail).toMatchObject({ rpcCode: -32601 });
  });
});

describe("a server that is not well", () => {
  it.each<[string, Handler, string, RegExp]>([
    [
      "refuses the token",
      (_asked, response) => {
        response.statusCode = 401;
        response.end("stale token\n");
      },
      "ENGINE_UNAUTHORISED",
      /refuses the token \("stale token"\): .*--evm\.jwt-secret-file.*clocks agree/,
    ],
    [
      "is some other server",
      (_asked, response) => {
        response.statusCode = 404;
        response.end("<html>not found</html>");
      },
      "ENGINE_HTTP_STATUS",
      /HTTP status 404 .*is that the execution client's port\?/,
    ],
    ["answers with no JSON", (_a, r) => void r.end("hello"), "ENGINE_MALFORMED", /no JSON-RPC/],
    ["answers with nothing", (_a, r) => void r.end(""), "ENGINE_MALFORMED", /no JSON-RPC answer/],
    [
      "answers another request",
      (_a, r) => void r.end('{"jsonrpc":"2.0","id":77,"result":"yes"}'),
      "ENGINE_MALFORMED",
      /the id is 77/,
    ],
    ["answers with another type", () => 5, "ENGINE_MALFORMED", /result.*expected string/],
    [
      "says too much",
      (_a, r) => void r.end(Buffer.alloc(65 * 1024 ** 2, " ")),
      "ENGINE_MALFORMED",
      /more than 67108864 bytes/,
    ],
    ["hangs up", (_a, r) => void r.destroy(), "ENGINE_UNREACHABLE", /\(ECONNRESET\)/],
    [
      "hangs up in the middle",
      (_a, r) => {
        r.setHeader("content-length", 1000);
        r.write('{"jsonrpc"', () => r.destroy());
      },
      "ENGINE_UNREACHABLE",
      /\(ECONNRESET\)/,
    ],
  ])("%s: a coded error", async (_name, handler, code, message) => {
    const { client } = await connect(handler);
    const error = await failureOf(ask(client));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it("is not there: a coded error, and a result once it is", async () => {
    const server = new ScriptedServer(() => "yes");
    const url = await server.start();
    await server.stop();
    const client = clientOf(url);
    const error = await failureOf(ask(client));
    expect(error.detail).toMatchObject({ code: "ENGINE_UNREACHABLE", errno: "ECONNREFUSED" });
    const again = new ScriptedServer(() => "yes");
    await again.start(Number(new URL(url).port));
    closers.push(() => again.stop());
    expect(await ask(client)).toBe("yes");
  });

  it("hangs: the call ends in time, and the next one has its result", async () => {
    let isHanging = true;
    const { client } = await connect(() => (isHanging ? undefined : "yes"));
    const error = await failureOf(ask(client, 100));
    expect(error.detail).toEqual({ code: "ENGINE_TIMEOUT", method: "m_ask", timeoutMs: 100 });
    isHanging = false;
    expect(await ask(client)).toBe("yes");
  });
});

describe("what is told of a failure", () => {
  it("has no password of the URL and no token", async () => {
    const client = clientOf("http://user:hunter2@127.0.0.1:1/");
    const error = await failureOf(ask(client));
    expect(error.message).toContain("http://127.0.0.1:1 ");
    expect(error.message).not.toMatch(/hunter2|the-token/);
  });

  it("is one short line, whatever the server sends", async () => {
    const { client } = await connect(() => new Refusal(-1, `a\n\u001b[31m${"b".repeat(10_000)}`));
    const { message } = await failureOf(ask(client));
    expect(message.length).toBeLessThan(400);
    expect(message).toMatch(/^[\x20-\x7e]*$/);
  });
});

describe("closing", () => {
  it("ends a call under way, and refuses the next", async () => {
    const { promise: hasAsked, resolve } = Promise.withResolvers<void>();
    const { client } = await connect(() => resolve());
    const failure = failureOf(ask(client));
    await hasAsked;
    client.close();
    client.close();
    expect((await failure).code).toBe("ENGINE_CLOSED");
    expect((await failureOf(ask(client))).code).toBe("ENGINE_CLOSED");
  });
});
