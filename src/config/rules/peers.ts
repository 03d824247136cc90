/** Who the members are, and how they reach each other. */

import { isPlaceholder, isWildcardHost, parseMultiaddr, parseSocketAddress } from "../address.ts";
import { parsePeers, type RaftPeer, splitList } from "../peers.ts";
import { type Finding, finding, type Rule, type RuleContext } from "./rule.ts";

const peersKey = "raft.peers";

export const peerRules: readonly Rule[] = [
  (context) => (context.config.raft.enable ? checkIdentity(context) : []),
  (context) => (context.config.raft.enable ? checkPeers(context) : []),
  (context) => (context.config.raft.enable ? checkSize(context) : []),
  ({ config: { raft } }) =>
    !raft.enable && raft.peers.length > 0
      ? [finding("warning", [peersKey, "raft.enable"], "does nothing without raft.enable: true")]
      : [],
  checkLibp2pPeers,
];

function checkIdentity({ config: { raft } }: RuleContext): readonly Finding[] {
  const findings: Finding[] = [];
  const refuse = (key: string, message: string) => findings.push(finding("error", [key], message));
  if (raft.nodeId === "") {
    refuse(
      "raft.node_id",
      "node ID is required; write a name that no other member has, such as node-1",
    );
  } else if (/[\s@,]/.test(raft.nodeId)) {
    refuse("raft.node_id", `"${raft.nodeId}" holds a space, a comma or an @; write one word`);
  }
  if (raft.raftAddr === "") {
    refuse(
      "raft.raft_addr",
      "raft address is required; write where to listen, such as 0.0.0.0:5001",
    );
  }
  if (raft.raftDir === "") {
    refuse("raft.raft_dir", "raft directory is required; remove the line for <home>/raft");
  }
  const bound = parseSocketAddress(raft.raftAddr);
  if (bound.ok && bound.value.port === 0 && raft.peers.length > 0) {
    refuse(
      "raft.raft_addr",
      "port 0 is a different one at each start; write the port that peers dial",
    );
  }
  if (raft.advertiseAddr !== null) {
    const advertised = parseSocketAddress(raft.advertiseAddr);
    if (advertised.ok && isWildcardHost(advertised.value.host)) {
      refuse(
        "raft.advertise_addr",
        `"${raft.advertiseAddr}" is a wildcard, which nobody can dial; write this host's address`,
      );
    }
  }
  return findings;
}

function checkPeers(context: RuleContext): readonly Finding[] {
  const { nodeId, raftAddr, advertiseAddr } = context.config.raft;
  const written = parsePeers(context.text(peersKey));
  if (!written.ok) return [];
  const findings: Finding[] = [];
  const byId = new Map<string, RaftPeer>();
  const byAddress = new Map<string, RaftPeer>();
  for (const peer of written.value) {
    const sameId = byId.get(peer.id);
    const sameAddress = byAddress.get(peer.address);
    if (sameId !== undefined) {
      const message =
        sameId.address === peer.address
          ? finding("warning", [peersKey], `lists ${peer.id}@${peer.address} twice; remove one`)
          : finding(
              "error",
              [peersKey],
              `gives ${peer.id} two addresses, ${sameId.address} and ${peer.address}; keep the right one`,
            );
      findings.push(message);
    } else if (sameAddress !== undefined) {
      const message = `gives ${sameAddress.id} and ${peer.id} one address, ${peer.address}; correct one of them`;
      findings.push(finding("error", [peersKey], message));
    }
    byId.set(peer.id, peer);
    byAddress.set(peer.address, peer);
  }
  const own = byId.get(nodeId);
  const impostor = [advertiseAddr, raftAddr]
    .map((address) => (address === null ? undefined : byAddress.get(address)))
    .find((peer) => peer !== undefined && peer.id !== nodeId);
  if (impostor !== undefined && nodeId !== "") {
    const message =
      `gives ${impostor.id} the address ${impostor.address}, which is this node's own (${nodeId}); ` +
      `correct raft.node_id or the entry`;
    findings.push(finding("error", [peersKey, "raft.node_id", "raft.raft_addr"], message));
  }
  if (own !== undefined) findings.push(...checkOwnEntry(own, context));
  return findings;
}

/** A port mapping between the peers and this node is rare, and a mistyped port is not. */
function checkOwnEntry(own: RaftPeer, { config, isSet }: RuleContext): readonly Finding[] {
  const listed = parseSocketAddress(own.address);
  const bound = parseSocketAddress(config.raft.raftAddr);
  if (!listed.ok || !bound.ok || isSet("raft.advertise_addr")) return [];
  if (listed.value.port === bound.value.port || bound.value.port === 0) return [];
  const message =
    `says that this node (${own.id}) is reached at ${own.address}, but raft.raft_addr listens on port ` +
    `${bound.value.port}; correct one of them, or set raft.advertise_addr if a port is mapped`;
  return [finding("error", [peersKey, "raft.raft_addr"], message)];
}

/** How many members may fail while the others still make a majority. */
export function toleratedFailures(voters: number): number {
  return Math.floor((voters - 1) / 2);
}

export function describeCluster(voters: number): string {
  const tolerated = toleratedFailures(voters);
  const members = voters === 1 ? "one member" : `${voters} members`;
  const failures =
    tolerated === 0 ? "no failure" : tolerated === 1 ? "one failure" : `${tolerated} failures`;
  return `a cluster of ${members} has a majority of ${Math.floor(voters / 2) + 1} and tolerates ${failures}`;
}

function checkSize({ config: { raft }, text }: RuleContext): readonly Finding[] {
  const ids = new Set([raft.nodeId, ...raft.peers.map(({ id }) => id)]);
  const voters = ids.size;
  if (voters > 2 && voters % 2 === 1) return [];
  const advice =
    voters < 3
      ? "list three or five members"
      : `as many as ${voters - 1} members do; use ${voters - 1} or ${voters + 1}`;
  const written = parsePeers(text(peersKey));
  const isListed = written.ok && written.value.some(({ id }) => id === raft.nodeId);
  const doubt =
    isListed || voters < 3
      ? ""
      : `. ${raft.nodeId} is not in the list, and counts as one more: is raft.node_id right?`;
  return [finding("warning", [peersKey], `${describeCluster(voters)}; ${advice}${doubt}`)];
}

function checkLibp2pPeers({ config, text }: RuleContext): readonly Finding[] {
  const lists = ["p2p.peers", "p2p.allowed_peers", "p2p.blocked_peers"] as const;
  const findings: Finding[] = [];
  for (const name of lists) {
    for (const entry of splitList(text(name))) {
      const peer = parseMultiaddr(entry, { peerId: "required" });
      if (peer.ok) continue;
      findings.push(
        isPlaceholder(entry)
          ? finding("warning", [name], `an entry is left out: ${peer.problem}`)
          : finding("error", [name], peer.problem),
      );
    }
  }
  const { enable, peers } = config.raft;
  if (enable && peers.length > 0 && config.p2p.peers.length === 0 && findings.length === 0) {
    const message =
      "is empty: a member that missed more than raft.trailing_logs entries has nobody to fetch older " +
      "blocks from; list the other members, /ip4/HOST/tcp/PORT/p2p/PEER_ID each";
    findings.push(finding("warning", ["p2p.peers"], message));
  }
  return findings;
}
