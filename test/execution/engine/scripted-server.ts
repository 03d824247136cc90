/** An HTTP server that answers JSON-RPC as a test tells it to, and remembers what it was asked. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly method: string;
  readonly params: readonly unknown[];
  readonly headers: IncomingMessage["headers"];
  /** As it came. */
  readonly body: string;
  /** Numbered in the order of their opening. */
  readonly connection: number;
}

/** A JSON-RPC error. */
export class Refusal {
  readonly code: number;
  readonly message: string;

  constructor(code: number, message = "refused") {
    this.code = code;
    this.message = message;
  }
}

/** The result, a refusal, or nothing where the handler has written to `response` itself. */
export type Handler = (asked: Asked, response: ServerResponse) => unknown;

export class ScriptedServer {
  readonly asked: Asked[] = [];
  handler: Handler;
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  readonly #connections = new Map<unknown, number>();

  constructor(handler: Handler) {
    this.handler = handler;
  }

  get methods(): string[] {
    return this.asked.map(({ method }) => method);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Where it listens. */
  async start(port = 0): Promise<string> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    const { port: listening } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${listening}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket, headers } = request;
    const connection = this.#connections.get(socket) ?? this.#connections.size + 1;
    this.#connections.set(socket, connection);
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const { id, method, params } = JSON.parse(body);
    const asked = { method, params, headers, body, connection };
    this.asked.push(asked);
    const result = await this.handler(asked, response);
    if (result === undefined) return;
    const answer =
      result instanceof Refusal
        ? { error: { code: result.code, message: result.message } }
        : { result };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
  }
}
