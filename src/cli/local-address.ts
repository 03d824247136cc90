/** Where this machine reaches a server whose address was written to listen on. */

import {
  formatSocketAddress,
  isWildcardHost,
  parseSocketAddress,
  type SocketAddress,
} from "../config/address.ts";

/** As written, if it is no `host:port`. */
export function localAddress(address: string): string {
  const parsed = parseSocketAddress(address);
  return parsed.ok ? dialledAddress(parsed.value) : address;
}

/** A wildcard stands for this machine. */
export function dialledAddress({ host, port }: SocketAddress): string {
  const loopback = host.includes(":") ? "::1" : "127.0.0.1";
  return formatSocketAddress({ host: isWildcardHost(host) ? loopback : host, port });
}
