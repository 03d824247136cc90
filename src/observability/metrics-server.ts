/** Prometheus' endpoint: `GET /metrics` on `instrumentation.prometheus_listen_addr`, and nothing else. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { ObservabilityError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

export interface MetricsServerOptions {
  /** Empty to listen on every address. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** `instrumentation.max_open_connections`: scrapes at one time, 0 for no limit. One more is answered 503. */
  readonly maxScrapes: number;
}

/** Sockets, idle ones included; beyond it new connections are closed at once. */
const socketsMax = 64;
const requestTimeoutMs = 10_000;

export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #server: Server;
  #scrapes = 0;

  constructor(
    options: MetricsServerOptions,
    { metrics, log }: { readonly metrics: Metrics; readonly log: Logger },
  ) {
    this.#options = options;
    this.#metrics = metrics;
    this.#log = log;
    this.#server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = socketsMax;
  }

  /** The port it listens on; null while it does not. */
  get port(): number | null {
    const address = this.#server.address();
    return address === null || typeof address === "string" ? null : address.port;
  }

  /** Throws {@link ObservabilityError} if the address cannot be had. */
  start(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(listenError(this.#options, error));
      this.#server.once("error", fail);
      this.#server.listen({ port, ...(host === "" ? {} : { host }) }, () => {
        this.#server.off("error", fail);
        this.#server.on("error", (error) => this.#log.warn({ error }, "metrics server failed"));
        resolve();
      });
    });
  }

  /** May be called twice. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "/").split("?", 1)[0];
    if (path !== "/metrics") {
      refuse(response, 404, "not found; metrics are at /metrics");
    } else if (request.method !== "GET") {
      response.setHeader("allow", "GET");
      refuse(response, 405, "method not allowed; use GET");
    } else if (this.#options.maxScrapes > 0 && this.#scrapes >= this.#options.maxScrapes) {
      response.setHeader("retry-after", "1");
      refuse(response, 503, `${this.#scrapes} scrapes are running; see max_open_connections`);
    } else {
      await this.#scrape(response);
    }
  }

  async #scrape(response: ServerResponse): Promise<void> {
    this.#scrapes++;
    response.once("close", () => this.#scrapes--);
    try {
      const body = await this.#metrics.render();
      response.writeHead(200, { "content-type": this.#metrics.registry.contentType });
      response.end(body);
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      this.#log.every("scrape", 60_000)?.error({ error: cause }, "metrics could not be rendered");
      refuse(response, 500, "metrics could not be rendered; see the log");
    }
  }
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(`${JSON.stringify({ error: reason })}\n`);
}

function listenError(options: MetricsServerOptions, cause: Error): ObservabilityError {
  const address = `${options.host}:${options.port}`;
  const key = "instrumentation.prometheus_listen_addr";
  if ("code" in cause && cause.code === "EADDRINUSE") {
    const advice = `cannot serve metrics on ${address}: another process listens there. Stop it, or set ${key} to a free port`;
    return new ObservabilityError({ code: "METRICS_ADDRESS_IN_USE", address }, advice, { cause });
  }
  const advice = `cannot serve metrics on ${address}: set ${key} to an address of this host and a port this user may use`;
  return new ObservabilityError({ code: "METRICS_LISTEN_FAILED", address }, advice, { cause });
}
