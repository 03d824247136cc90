/**
 * Stands in for the HTTP server while the node cannot take part in anything yet: whoever asks is told so, instead of
 * finding the port closed, and a liveness probe does not end a process that only waits.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Answer, refusalAnswer, text } from "./answer.ts";
import { Refusal } from "./errors.ts";
import { listenError, logAcceptFailures } from "./listen-error.ts";
import type { RpcLogger } from "./options.ts";

export interface StartingServerOptions {
  /** The two parts of `rpc.address`. */
  readonly host: string;
  readonly port: number;
  /** What the node waits for, as strangers may know it. */
  readonly reason: string;
  readonly log: RpcLogger;
}

const connectionsMax = 64;
const requestTimeoutMs = 5_000;
const retryAfterMs = 1_000;

export class StartingServer {
  readonly #options: StartingServerOptions;
  readonly #server: Server;

  constructor(options: StartingServerOptions) {
    this.#options = options;
    this.#server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = connectionsMax;
  }

  /** Resolves to the port it listens on; throws an RpcError if it cannot. */
  start(): Promise<number> {
    const { host, port, log } = this.#options;
    const server = this.#server;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(listenError(error, { host, port }));
      server.once("error", fail);
      server.listen({ host: host === "localhost" ? "127.0.0.1" : host, port }, () => {
        server.off("error", fail);
        logAcceptFailures(server, log);
        const address = server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  /** The port is free again when it resolves. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #answer({ url = "/" }: IncomingMessage, response: ServerResponse): void {
    const { status, contentType, body, headers } = this.#answerTo(url.split("?", 1)[0]);
    response.writeHead(status, {
      "content-type": contentType,
      "cache-control": "no-store",
      // The next request is for the real server.
      connection: "close",
      ...headers,
    });
    response.end(body);
  }

  #answerTo(path: string | undefined): Answer {
    const { reason } = this.#options;
    switch (path) {
      case "/health/live":
      case "/livez":
        return text("OK\n");
      case "/health/ready":
      case "/readyz":
        return text(`UNREADY: ${reason}\n`, 503);
      case "/health/leader":
      case "/leader":
        return text(`NOT LEADER: ${reason}\n`, 503);
      default:
        return refusalAnswer(
          new Refusal(
            { code: "UNAVAILABLE", retry_after_ms: retryAfterMs },
            `This node is starting: ${reason}. Send the request to another one.`,
          ),
        );
    }
  }
}
