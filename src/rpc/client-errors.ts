/** Connections that speak no proper HTTP, or too slowly: a short answer where one can be read, then the end. */

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Admission } from "./admission.ts";
import { refusalAnswer } from "./answer.ts";
import { badRequest, Refusal } from "./errors.ts";
import { type RpcLimits, type RpcLogger, strangerLogIntervalMs } from "./options.ts";

interface ClientError extends Error {
  readonly code?: string;
}

export type ClientErrorHandler = (error: ClientError, socket: Socket) => void;

export function clientErrorHandler(
  admission: Admission,
  limits: RpcLimits,
  log: RpcLogger,
): ClientErrorHandler {
  return (error, socket) => {
    if (error.code === "ECONNRESET" || socket.destroyed) {
      socket.destroy();
      return;
    }
    log
      .every("bad-request", strangerLogIntervalMs)
      ?.warn(
        { client: socket.remoteAddress, reason: error.code },
        "closed a connection: its request was malformed or too slow",
      );
    // What is written now would be read as the answer to the request before: better say nothing.
    if (!socket.writable || admission.owesAnswer(socket)) {
      socket.destroy();
      return;
    }
    socket.end(responseTo(error, limits), () => socket.destroy());
  };
}

function responseTo(error: ClientError, limits: RpcLimits): string {
  const { status, contentType, body } = refusalAnswer(refusalOf(error, limits));
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Connection: close",
    `Content-Type: ${contentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");
}

function refusalOf({ code }: ClientError, limits: RpcLimits): Refusal {
  if (code === "HPE_HEADER_OVERFLOW") {
    return new Refusal(
      { code: "HEADERS_TOO_LARGE" },
      `The request line and headers exceed ${limits.headersMaxBytes} bytes. Send fewer or shorter ones.`,
    );
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new Refusal(
      { code: "REQUEST_TIMEOUT" },
      `The request was not complete in time: ${limits.headersTimeoutMs} ms for the headers, ${limits.requestTimeoutMs} ms in all.`,
    );
  }
  return badRequest(
    "This is no HTTP/1.1 request, or its method is unknown. If it is TLS: this port speaks plain HTTP.",
  );
}
