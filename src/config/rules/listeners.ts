/** Where this node listens: no two servers of one process can share a port. */

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
    return parsed.ok ? [{ name, ...parsed.value }] : [];
  });
  const libp2p = libp2pSocket(text("p2p.listen_address"));
  return libp2p === null ? listeners : [...listeners, { name: "p2p.listen_address", ...libp2p }];
}

function libp2pSocket(multiaddr: string): SocketAddress | null {
  if (!parseMultiaddr(multiaddr, { peerId: "none" }).ok) return null;
  const [, , host = "", , port] = multiaddr.split("/");
  return { host, port: Number(port) };
}

/** Port 0 is a free one, whoever asks. */
function isTaken(a: SocketAddress, b: SocketAddress): boolean {
  return a.port === b.port && a.port !== 0 && (covers(a.host, b.host) || covers(b.host, a.host));
}

/** Whether a server on `host` is reached at `other` too. */
function covers(host: string, other: string): boolean {
  if (host === other) return true;
  return isWildcardHost(host) && !(host === "0.0.0.0" && other.includes(":"));
}
