/** Why a server cannot listen, or accept, in words that say what to change. */

import type { Server } from "node:net";
import { RpcError } from "./errors.ts";
import { type RpcLogger, strangerLogIntervalMs } from "./options.ts";

/** Without a listener, running out of file descriptors would end the process. */
export function logAcceptFailures(server: Server, log: RpcLogger): void {
  server.on("error", (error) => {
    log
      .every("accept", strangerLogIntervalMs)
      ?.error({ error: error.message }, "cannot accept connections; raise LimitNOFILE");
  });
}

export function listenError(
  cause: unknown,
  { host, port }: { readonly host: string; readonly port: number },
): RpcError {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "EADDRINUSE") {
    const advice = `rpc.address ${address} is in use by another process. Stop it, or set rpc.address to a free port.`;
    return new RpcError({ code: "RPC_ADDRESS_IN_USE", address }, advice, { cause });
  }
  const reason =
    code === "EACCES"
      ? "this user may not listen there; ports below 1024 need CAP_NET_BIND_SERVICE"
      : code === "EADDRNOTAVAIL"
        ? "no network interface of this machine has that address"
        : `the system says ${String(code ?? cause)}`;
  const advice = `rpc.address ${address} cannot be used: ${reason}. Set rpc.address to host:port of this machine, or 0.0.0.0:port.`;
  return new RpcError({ code: "RPC_ADDRESS_UNUSABLE", address }, advice, { cause });
}
