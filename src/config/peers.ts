/** `raft.peers`: the other members of the cluster, as `nodeID@host:port`. */

import { formatSocketAddress, isWildcardHost, parseSocketAddress } from "./address.ts";
import { fail, ok, type Parsed } from "./parsed.ts";

export interface RaftPeer {
  readonly id: string;
  /** `host:port` where that member's Raft listener is reached. */
  readonly address: string;
}

const form = "write nodeID@host:port, such as node-2@10.0.0.2:5001";

/** Entries are separated by commas; blanks and line breaks around them do not count. */
export function parsePeers(text: string): Parsed<readonly RaftPeer[]> {
  const peers: RaftPeer[] = [];
  const problems: string[] = [];
  for (const entry of splitList(text)) {
    const peer = parsePeer(entry);
    if (peer.ok) peers.push(peer.value);
    else problems.push(peer.problem);
  }
  return problems.length === 0 ? ok(peers) : fail(problems.join("; "));
}

export function parsePeer(entry: string): Parsed<RaftPeer> {
  const parts = entry.split("@");
  const [id = "", address = ""] = parts.map((part) => part.trim());
  if (parts.length !== 2) {
    return fail(`"${entry.trim()}": expecting nodeID@address for peer; ${form}`);
  }
  if (id === "") return fail(`"${entry.trim()}": nodeID cannot be empty; ${form}`);
  if (/\s/.test(id)) {
    return fail(`"${entry.trim()}" has a space in its node id; separate entries by commas`);
  }
  if (address === "") return fail(`"${entry.trim()}": address cannot be empty; ${form}`);
  const socket = parseSocketAddress(address);
  if (!socket.ok) return fail(`"${entry.trim()}": ${socket.problem}`);
  if (isWildcardHost(socket.value.host)) {
    return fail(
      `"${entry.trim()}" names a wildcard, which nobody can dial; write the host's own address`,
    );
  }
  if (socket.value.port === 0) return fail(`"${entry.trim()}" has port 0; write the real port`);
  return ok({ id, address: formatSocketAddress(socket.value) });
}

export function formatPeers(peers: readonly RaftPeer[]): string {
  return peers.map(({ id, address }) => `${id}@${address}`).join(",");
}

/** The entries of a comma-separated list, trimmed; empty ones (a trailing comma) are dropped. */
export function splitList(text: string): readonly string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}
