/** Why the server cannot listen, in words that name the setting to change. */

import { RpcError } from "./errors.ts";

export function listenError(cause: unknown, address: string): RpcError {
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
