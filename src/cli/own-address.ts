/** Whether this machine is the member that its configuration says: a node_id that was copied along is easily overlooked. */

import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { parseSocketAddress } from "../config/address.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Problem } from "../config/problem.ts";

type Facts = Pick<LoadedConfig, "config" | "settings">;

const key = "raft.node_id";

/**
 * A warning if this member's address is none of this machine's, and another member's is one; null if not, or where names
 * and loopback addresses tell nothing. `localAddresses`: of the machine's interfaces.
 */
export function addressProblem(
  { config: { raft }, settings }: Facts,
  localAddresses: ReadonlySet<string> = addressesOfThisMachine(),
): Problem | null {
  if (!raft.enable) return null;
  const own = hostOf(raft.advertiseAddr ?? raft.raftAddr);
  if (own === null || localAddresses.has(own)) return null;
  const other = raft.peers.find(({ address }) => localAddresses.has(hostOf(address) ?? ""));
  if (other === undefined) return null;
  const message =
    `is ${raft.nodeId}, whose address in raft.peers is ${own}, which this machine does not have; it has ${other.id}'s. ` +
    `If this is ${other.id}'s machine, write node_id: "${other.id}", and give this node the home of ${other.id}`;
  const origin = settings.get(key)?.origin ?? { kind: "default" };
  return { severity: "warning", origin, key, message };
}

/** null for a name, a wildcard, and loopback, where several members may be. */
function hostOf(address: string): string | null {
  const parsed = parseSocketAddress(address);
  if (!parsed.ok) return null;
  const { host } = parsed.value;
  const isTelling = isIP(host) !== 0 && !/^(127\.|0\.0\.0\.0$|[0:]+1?$)/.test(host);
  return isTelling ? host : null;
}

/** Empty where the system does not tell them, as in a sandbox without AF_NETLINK: no start fails for want of a warning. */
function addressesOfThisMachine(): ReadonlySet<string> {
  try {
    const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    return new Set(addresses.map(({ address }) => address));
  } catch {
    return new Set();
  }
}
