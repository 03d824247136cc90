/** A server over a node in memory, and the two ways to talk to it: HTTP requests and raw bytes. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { RpcLogger, RpcOptions } from "../../src/rpc/options.ts";
import { createRpcServer } from "../../src/rpc/server.ts";
import { MemoryNode } from "./memory-node.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly facts: Readonly<Record<string, unknown>>;
  readonly sentence: string;
}

export interface Harness {
  readonly node: MemoryNode;
  readonly log: readonly LogLine[];
  readonly failures: readonly unknown[];
  readonly port: number;
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Starts a server on a free port of the loopback. */
export async function startServer(
  options: Partial<RpcOptions> = {},
  node: MemoryNode = new MemoryNode(),
): Promise<Harness> {
  const log: LogLine[] = [];
  const failures: unknown[] = [];
  const server = createRpcServer({ ...defaults(log, failures), ...options }, node);
  const { port } = await server.start();
  const url = `http://127.0.0.1:${port}`;
  return { node, log, failures, port, url, stop: () => server.stop() };
}

export function defaults(log: LogLine[], failures: unknown[] = []): RpcOptions {
  return {
    host: "127.0.0.1",
    port: 0,
    adminToken: null,
    txRate: null,
    log: logInto(log),
    onFailure: (error) => failures.push(error),
  };
}

function logInto(lines: LogLine[]): RpcLogger {
  const keys = new Set<string>();
  const at = (level: LogLine["level"]) => (facts: LogLine["facts"], sentence: string) => {
    lines.push({ level, facts, sentence });
  };
  const logger: RpcLogger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    every: (key) => {
      if (keys.has(key)) return null;
      keys.add(key);
      return logger;
    },
  };
  return logger;
}

export function postJson(
  { url }: Harness,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

export function putKey(harness: Harness, key: string, value: string): Promise<Response> {
  return postJson(harness, "/tx", { type: "kv:put", key, value });
}

/** A connection on which tests write what no HTTP client would. */
export class RawClient {
  readonly socket: Socket;
  #received = "";

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.setEncoding("utf8");
    this.socket.on("data", (text: string) => {
      this.#received += text;
    });
    // A reset is one of the ways in which a server may end a bad connection.
    this.socket.on("error", () => {});
  }

  write(text: string): void {
    this.socket.write(text);
  }

  /** Everything received until the server closed. */
  async untilClosed(): Promise<string> {
    if (!this.socket.closed) {
      await new Promise<void>((resolve) => this.socket.once("close", () => resolve()));
    }
    return this.#received;
  }

  /** Resolves once the received text satisfies `isEnough`. */
  async until(isEnough: (received: string) => boolean): Promise<string> {
    while (!isEnough(this.#received)) await once(this.socket, "data");
    return this.#received;
  }
}

export const host = "Host: x\r\n";

/** A POST request as it goes over the wire. */
export function post(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** Resolves once `count` more transactions have reached the node. */
export function arrivals(node: MemoryNode, count: number): Promise<void> {
  return new Promise((resolve) => {
    let arrived = 0;
    node.onSubmit = () => {
      arrived += 1;
      if (arrived === count) resolve();
    };
  });
}
