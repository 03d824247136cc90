/** `host:port`, and which of our addresses peers are told. */

import { isIP } from "node:net";
import type { ServerId } from "../raft/types.ts";
import { badAddress } from "./errors.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[v6]:port` or `:port`. `setting` is the configuration key an error names. */
export function parseEndpoint(address: string, setting: string): Endpoint {
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(address.trim());
  const port = Number(parts?.[3]);
  if (parts === null || port > 65535) {
    throw badAddress(
      setting,
      address,
      "is not host:port. Write it like 10.0.0.1:5001, node-1.example:5001 or [fd00::1]:5001.",
    );
  }
  return { host: parts[1] ?? parts[2] ?? "", port };
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An address to listen on that names no machine. */
export function isWildcard(host: string): boolean {
  return host === "" || host === "*" || host === "0.0.0.0" || /^[0:]+$/.test(host);
}

/** The address of a socket's end, with IPv4 in IPv6 clothing undressed. */
export function plainIp(address: string): string {
  const inner = address.replace(/^::ffff:/i, "");
  return isIP(inner) === 4 ? inner : address;
}

/** Where to connect to, and from which of our addresses; null for the kernel's choice. */
export interface Route extends Endpoint {
  readonly source: string | null;
}

/**
 * From the address that we listen on, if it is one and leads there: peers let in only addresses that they know, and a
 * host may have several.
 */
export function routeTo(target: Endpoint, listenHost: string): Route {
  const family = isIP(listenHost);
  const isUsable =
    family !== 0 &&
    family === isIP(target.host) &&
    !isWildcard(listenHost) &&
    isLoopback(listenHost) === isLoopback(target.host);
  return { ...target, source: isUsable ? listenHost : null };
}

function isLoopback(ip: string): boolean {
  return ip.startsWith("127.") || ip === "::1";
}

export interface AdvertisedAddressFacts {
  readonly localId: ServerId;
  /** `raft.advertise_addr`; null if not set. */
  readonly advertiseAddr: string | null;
  readonly peers: ReadonlyMap<ServerId, string>;
  /** `raft.raft_addr`. */
  readonly raftAddr: string;
  /** Where we really listen, `raft_addr` having perhaps said 0. */
  readonly listenPort: number;
  /** Our end of the first connection to a peer; null before there was one. */
  readonly outboundLocalAddress: string | null;
}

/**
 * The address that peers are told to reach this node at: `raft.advertise_addr`, else our own entry in
 * `raft.peers`, else `raft_addr` if it is no wildcard, else our end of the first connection to a peer.
 * null while none is known; never a wildcard. Throws a bad-address error naming the setting.
 */
export function resolveAdvertisedAddress(facts: AdvertisedAddressFacts): string | null {
  const candidates = [
    { setting: "raft.advertise_addr", address: facts.advertiseAddr },
    { setting: "raft.peers", address: facts.peers.get(facts.localId) ?? null },
    { setting: "raft.raft_addr", address: facts.raftAddr },
  ];
  for (const { setting, address } of candidates) {
    if (address === null || address === "") continue;
    const { host, port } = parseEndpoint(address, setting);
    if (!isWildcard(host)) return formatEndpoint({ host, port: port || facts.listenPort });
  }
  if (facts.outboundLocalAddress === null || isWildcard(facts.outboundLocalAddress)) return null;
  return formatEndpoint({ host: facts.outboundLocalAddress, port: facts.listenPort });
}
