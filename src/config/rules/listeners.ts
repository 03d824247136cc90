/** Where this node listens: no two servers of one process can share a port. */

import { isIPv4, isIPv6 } from "node:net";
import {
  isWildcardHost,
  parseMultiaddr,
  parseSocketAddress,
  type SocketAddress,
} from "../address.ts";
import { type Finding, finding, type Rule, type RuleContext } from "./rule.ts";

export const listenerRules: readonly Rule[] = [checkPorts];

interface Listener extends SocketAddress {
  readonly name: string;
  /** A wildcard takes IPv4 as well, unless libp2p listens on it. */
  readonly isIPv6Only: boolean;
}

function checkPorts(context: RuleContext): readonly Finding[] {
  const listeners = listenersOf(context);
  return listeners.flatMap((listener, at) => {
    const other = listeners.slice(0, at).find((earlier) => isTaken(listener, earlier));
    if (other === undefined) return [];
    const message = `is port ${listener.port}, where ${other.name} listens as well; give each a port of its own`;
    return [finding("error", [listener.name, other.name], message)];
  });
}

/** A value that is none has been reported where it was read. */
function listenersOf({ config, text }: RuleContext): readonly Listener[] {
  const sockets = ["rpc.address"];
  if (config.raft.enable) sockets.push("raft.raft_addr");
  if (config.instrumentation.prometheus) sockets.push("instrumentation.prometheus_listen_addr");
  const listeners = sockets.flatMap((name): readonly Listener[] => {
    const parsed = parseSocketAddress(text(name));
    if (!parsed.ok) return [];
    const { host, port } = parsed.value;
    // HTTP listens on one of its addresses, whatever else it stands for here.
    const isLocal = name === "rpc.address" && host === "localhost";
    return [{ name, isIPv6Only: false, port, host: isLocal ? "127.0.0.1" : host }];
  });
  const libp2p = libp2pSocket(text("p2p.listen_address"));
  return libp2p === null
    ? listeners
    : [...listeners, { name: "p2p.listen_address", isIPv6Only: true, ...libp2p }];
}

function libp2pSocket(multiaddr: string): SocketAddress | null {
  if (!parseMultiaddr(multiaddr, { peerId: "none" }).ok) return null;
  const [, , host = "", , port] = multiaddr.split("/");
  return { host, port: Number(port) };
}

/** Port 0 is a free one, whoever asks. Of a name it is not known which address it stands for. */
function isTaken(a: Listener, b: Listener): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  if (a.host === b.host) return true;
  const [familiesOfA, familiesOfB] = [familiesOf(a), familiesOf(b)];
  const share = familiesOfA.some((family) => familiesOfB.includes(family));
  return share && (isWildcardHost(a.host) || isWildcardHost(b.host));
}

/** Where it takes connections from: IPv4, IPv6 or both; nothing that is known for a name. */
function familiesOf({ host, isIPv6Only }: Listener): readonly (4 | 6)[] {
  if (isIPv4(host)) return [4];
  if (isWildcardHost(host)) return isIPv6Only ? [6] : [4, 6];
  return isIPv6(host) ? [6] : [];
}
