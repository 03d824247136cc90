/** The HTTP server: builds the routes over the node, bounds what clients can cost, starts and stops. */

import type { IncomingMessage, ServerResponse } from "node:http";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { assert } from "../base/assert.ts";
import { Admission } from "./admission.ts";
import { type Answer, type Route, refusalAnswer, send } from "./answer.ts";
import type { NodeApi } from "./api.ts";
import { clientErrorHandler } from "./client-errors.ts";
import { answerUnknown } from "./endpoints.ts";
import { Refusal } from "./errors.ts";
import { createRefusalOf, type RefusalOf } from "./failures.ts";
import { listenError, logAcceptFailures } from "./listen-error.ts";
import {
  defaultRpcLimits,
  type RpcLimits,
  type RpcOptions,
  strangerLogIntervalMs,
} from "./options.ts";
import { createRoutes } from "./routes.ts";
import { retryAfterMs } from "./submission.ts";

export interface RpcServer {
  /** Resolves to the address it listens on; throws an RpcError if it cannot. */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  /** Lets open requests end, for a while, and closes. May be called twice. */
  stop(): Promise<void>;
}

export function createRpcServer(options: RpcOptions, api: NodeApi): RpcServer {
  return new HttpServer(options, api);
}

class HttpServer implements RpcServer {
  readonly #options: RpcOptions;
  readonly #limits: RpcLimits;
  readonly #admission: Admission;
  readonly #refusalOf: RefusalOf;
  readonly #routes: readonly Route[];
  readonly #app: FastifyInstance;
  #isStarted = false;
  #stopped: Promise<void> | null = null;

  constructor(options: RpcOptions, api: NodeApi) {
    this.#options = options;
    this.#limits = { ...defaultRpcLimits, ...options.limits };
    this.#admission = new Admission(this.#limits);
    const { bodyMaxBytes } = this.#limits;
    this.#refusalOf = createRefusalOf({ ...options, bodyMaxBytes });
    this.#routes = createRoutes(options, {
      api,
      limits: this.#limits,
      refusalOf: this.#refusalOf,
      clientSignal: (request) => this.#admission.signalOf(request.raw),
    });
    this.#app = this.#createApp();
  }

  async start(): Promise<{ readonly host: string; readonly port: number }> {
    assert(!this.#isStarted, "a server starts once");
    this.#isStarted = true;
    const { host, port } = this.#options;
    try {
      // fastify would open a second server for the other address of "localhost", out of our sight.
      await this.#app.listen({ host: host === "localhost" ? "127.0.0.1" : host, port });
    } catch (error) {
      await this.#app.close();
      throw listenError(error, { host, port });
    }
    this.#watchListener();
    const address = this.#app.server.address();
    assert(address !== null && typeof address === "object", "the server listens on TCP");
    return { host: address.address, port: address.port };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { server } = this.#app;
    const timer = setTimeout(() => {
      const requests = this.#admission.requests;
      this.#options.log.warn({ requests }, "closing connections with open requests");
      server.closeAllConnections();
    }, this.#limits.stopTimeoutMs);
    const closed = this.#app.close();
    // fastify spares a connection with half a request on it, and would wait for the other half.
    this.#admission.close();
    await closed;
    clearTimeout(timer);
  }

  #createApp(): FastifyInstance {
    const limits = this.#limits;
    const app = fastify({
      logger: false,
      bodyLimit: limits.bodyMaxBytes,
      // A key in /state/:key may have any length that fits the headers.
      routerOptions: { maxParamLength: limits.headersMaxBytes },
      return503OnClosing: false,
      requestTimeout: limits.requestTimeoutMs,
      connectionTimeout: limits.connectionTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      http: {
        maxHeaderSize: limits.headersMaxBytes,
        headersTimeout: limits.headersTimeoutMs,
        connectionsCheckingInterval: limits.timeoutCheckMs,
      },
      clientErrorHandler: clientErrorHandler(this.#admission, limits, this.#options.log),
      frameworkErrors: (error, request, reply) => {
        this.#send(reply, refusalAnswer(this.#refusalOf(error, request)));
      },
    });
    app.server.maxConnections = limits.connectionsMax;
    app.server.on("connection", (socket) => this.#admission.connected(socket));
    app.server.on("checkContinue", (request, response) =>
      this.#continueOrRefuse(request, response),
    );
    app.server.on("checkExpectation", refuseExpectation);
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
      done(null, body);
    });
    this.#addRoutes(app);
    return app;
  }

  #addRoutes(app: FastifyInstance): void {
    const probes = new Set(this.#routes.filter((route) => route.isProbe).map(({ path }) => path));
    app.addHook("onRequest", (request, reply, done) => {
      const isProbe = probes.has(request.routeOptions.url ?? "");
      done(this.#refuseEntry(request.raw, reply.raw, isProbe) ?? undefined);
    });
    app.addHook("onResponse", (request, reply, done) => {
      // The pattern, not the path: a scanner must not make a series of each thing it tries.
      const route = request.routeOptions.url ?? "unknown";
      const seconds = reply.elapsedTime / 1000;
      this.#options.observer?.answered({ route, status: reply.statusCode, seconds });
      done();
    });
    app.setErrorHandler((error, request, reply) => {
      return this.#send(reply, refusalAnswer(this.#refusalOf(error, request)));
    });
    app.setNotFoundHandler((request, reply) => {
      return this.#send(reply, answerUnknown(this.#routes, request));
    });
    for (const { method, path, handle, refuse = refusalAnswer } of this.#routes) {
      app.route({
        method,
        url: path,
        handler: async (request, reply) => {
          const answer = await handle(request);
          this.#admitAnswer(request.raw, answer);
          return this.#send(reply, answer);
        },
        errorHandler: (error, request, reply) =>
          this.#send(reply, refuse(this.#refusalOf(error, request))),
      });
    }
  }

  #refuseEntry(
    request: IncomingMessage,
    response: ServerResponse,
    isProbe: boolean,
  ): Refusal | null {
    if (this.#stopped !== null) {
      return unavailable("This node is stopping. Send the request to another one.");
    }
    if (this.#admission.admit(request, response, isProbe)) return null;
    this.#options.log
      .every("busy", strangerLogIntervalMs)
      ?.warn({ requests: this.#admission.requests }, "refused a request: too many are under way");
    return unavailable("Too many requests are under way here. Nothing was kept; try again.");
  }

  /** Throws a Refusal where too much waits to be read. */
  #admitAnswer(request: IncomingMessage, { body, mustGoOut = false }: Answer): void {
    if (this.#admission.admitAnswer(request, Buffer.byteLength(body), mustGoOut)) return;
    this.#options.log
      .every("slow-readers", strangerLogIntervalMs)
      ?.warn(
        { requests: this.#admission.requests },
        "refused a request: too much waits to be read",
      );
    throw unavailable("Too many large answers wait here for clients that read slowly. Try again.");
  }

  #send(reply: FastifyReply, answer: Answer): FastifyReply {
    // Once stopping, no connection is worth keeping. Otherwise it stays open even after a refusal:
    // node then reads what is left of the body, and the client gets to see why it was refused.
    if (this.#stopped !== null) reply.header("connection", "close");
    else reply.removeHeader("connection");
    return send(reply, answer);
  }

  /** `Expect: 100-continue`: a body that is too large is refused before it is sent. */
  #continueOrRefuse(request: IncomingMessage, response: ServerResponse): void {
    const length = Number(request.headers["content-length"] ?? 0);
    if (length <= this.#limits.bodyMaxBytes) response.writeContinue();
    this.#app.routing(request, response);
  }

  #watchListener(): void {
    const { log } = this.#options;
    this.#app.server.on("drop", () => {
      log
        .every("connections", strangerLogIntervalMs)
        ?.warn({ connectionsMax: this.#limits.connectionsMax }, "refused a connection: too many");
    });
    logAcceptFailures(this.#app.server, log);
  }
}

/** Any but `100-continue` (RFC 9110, section 10.1.1). */
function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const detail = { code: "EXPECTATION_FAILED" } as const;
  const sentence = "The only expectation that is met is 100-continue. Leave the Expect header out.";
  const { status, contentType, body } = refusalAnswer(new Refusal(detail, sentence));
  response.writeHead(status, { "content-type": contentType, connection: "close" });
  response.end(body);
}

function unavailable(sentence: string): Refusal {
  return new Refusal({ code: "UNAVAILABLE", retry_after_ms: retryAfterMs }, sentence);
}
