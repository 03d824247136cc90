/** Addresses as operators write them: `host:port` for sockets, multiaddrs for libp2p. */

import { isIPv4, isIPv6 } from "node:net";
import { fail, ok, type Parsed } from "./parsed.ts";

export interface SocketAddress {
  /** Without the brackets of an IPv6 address; empty for `:port`. */
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `:port` and `[ipv6]:port`. */
export function parseSocketAddress(text: string, example = "10.0.0.1:5001"): Parsed<SocketAddress> {
  const match = /^(?:\[([^\]\s/@]*)\]|([^:\s/@]*)):(\d+)$/.exec(text);
  if (match === null) return fail(explainSocketAddress(text, example));
  const [, bracketed, plain, digits = ""] = match;
  const port = Number(digits);
  if (port > 65535) return fail(`"${text}" has port ${digits}; a port is at most 65535`);
  if (bracketed !== undefined && bracketed !== "" && !isIPv6(bracketed)) {
    return fail(`"${text}" has no IPv6 address in its brackets; ${example} needs none`);
  }
  const host = bracketed ?? plain ?? "";
  if (isSpoiltIPv4(host)) return fail(`"${text}" has no IPv4 address; ${ipv4Form}`);
  return ok({ host, port });
}

const ipv4Form = "write four numbers of at most 255, without leading zeros";

/** Numbers that are no address; nor are they a name, whose last part is never a number. */
function isSpoiltIPv4(host: string): boolean {
  return /^\d+(\.\d+){3}$/.test(host) && !isIPv4(host);
}

function explainSocketAddress(text: string, example: string): string {
  const form = `write host:port, such as ${example}`;
  if (text === "") return `is empty; ${form}`;
  if (/\s/.test(text)) return `"${text}" has a space in it; ${form}`;
  if (text.includes("://")) return `"${text}" is a URL; ${form} without the scheme`;
  if (text.startsWith("/")) return `"${text}" is a multiaddr or a path; ${form}`;
  if (text.startsWith("[")) return `"${text}" is no [address]:port of IPv6; ${form}`;
  if (/:.*:/.test(text)) return `"${text}" has several colons; write IPv6 as [address]:port`;
  if (text.includes(":")) return `"${text}" has no numeric port; ${form}`;
  return `"${text}" has no port; ${form}`;
}

export function formatSocketAddress({ host, port }: SocketAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An address to listen on, but none that a peer could dial. */
export function isWildcardHost(host: string): boolean {
  return host === "" || host === "0.0.0.0" || /^[0:]+$/.test(host);
}

/** As guides have it: `<PEER_ID_NODE_2>`, or `12D3KooW...`. */
export function isPlaceholder(text: string): boolean {
  return /[<>]|\.\.\.$/.test(text);
}

const multiaddrForm = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/\s]+)\/tcp\/(\d+)(?:\/p2p\/([^/\s]+))?\/?$/;
/** A peer id in base58: an identity-hashed Ed25519 key (12D3KooW...) or a SHA-256 multihash (Qm...). */
const peerIdForm = /^(12D3KooW|Qm|16Uiu2HA)[1-9A-HJ-NP-Za-km-z]+$/;

/** One TCP multiaddr, returned as it was written. With `peerId: "required"` it must end in `/p2p/<id>`. */
export function parseMultiaddr(
  text: string,
  { peerId }: { readonly peerId: "required" | "none" },
): Parsed<string> {
  const form = `/ip4/10.0.0.1/tcp/26656${peerId === "required" ? "/p2p/12D3KooW..." : ""}`;
  const match = multiaddrForm.exec(text);
  if (match === null) {
    const socket = parseSocketAddress(text);
    if (peerId === "none" && socket.ok) {
      const host = socket.value.host === "" ? "0.0.0.0" : socket.value.host;
      const family = host.includes(":") ? "ip6" : /^[\d.]+$/.test(host) ? "ip4" : "dns";
      return fail(
        `"${text}" is host:port; libp2p wants a multiaddr: write /${family}/${host}/tcp/${socket.value.port}`,
      );
    }
    return fail(`"${text}" is no TCP multiaddr; write it like ${form}`);
  }
  const [, family = "", host = "", port = "", id] = match;
  if (isPlaceholder(host)) {
    return fail(`"${text}" still holds a placeholder; put the host's address there`);
  }
  const problem = hostProblem(family, host);
  if (problem !== null) return fail(`"${text}" ${problem}`);
  if (Number(port) > 65535) return fail(`"${text}" has port ${port}; a port is at most 65535`);
  if (peerId === "none") return ok(text);
  if (id === undefined) return fail(`"${text}" does not end in /p2p/<peer id>; write ${form}`);
  if (isPlaceholder(id)) {
    return fail(`"${text}" still holds a placeholder; put the peer_id that net-info prints there`);
  }
  return peerIdForm.test(id)
    ? ok(text)
    : fail(`"${text}" ends in "${id}", which is no peer id; net-info prints the peer's`);
}

/** Why `host` is none of the multiaddr's family; null if it is one. */
function hostProblem(family: string, host: string): string | null {
  if (isSpoiltIPv4(host) || (family === "ip4" && /^[\d.]+$/.test(host) && !isIPv4(host))) {
    return `has no IPv4 address; ${ipv4Form}`;
  }
  if (family === "ip4" && !isIPv4(host)) {
    return `has no IPv4 address; write /${isIPv6(host) ? "ip6" : "dns4"}/${host} instead of /ip4/${host}`;
  }
  if (family !== "ip6" || isIPv6(host)) return null;
  return `has no IPv6 address; write ${isIPv4(host) ? `/ip4/${host}` : "one such as /ip6/fd00::1"} instead of /ip6/${host}`;
}
