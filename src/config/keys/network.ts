/** Who may talk to the node: HTTP and libp2p. */

import {
  bool,
  ignored,
  list,
  listenAddress,
  multiaddr,
  optionalPath,
  secret,
  size,
  whole,
} from "../key.ts";

export const rpcKeys = {
  address: listenAddress("0.0.0.0:26657", "Where HTTP is served: status, blocks, transactions."),
  admin_token_file: optionalPath(
    "File with the token that admin requests must bear. Without a token they are for loopback only.",
    { example: "/etc/ev-node/admin-token" },
  ),
  admin_token: secret("The token itself; prefer admin_token_file."),
  tx_max_bytes: size("1MiB", "A larger transaction is refused."),
  tx_rate_limit: whole(
    0,
    "Transactions a second that this node takes over HTTP; more are told to wait. 0 for no limit.",
  ),
  queue_max_txs: whole(10000, "Transactions waiting for a block; more are told to wait.", {
    min: 1,
  }),
  queue_max_bytes: size("64MiB", "Bytes of transactions waiting for a block."),
  enable_da_visualization: ignored(
    bool(false, "ev-node's page about the DA layer."),
    "there is no such page",
  ),
};

export const p2pKeys = {
  listen_address: multiaddr("/ip4/0.0.0.0/tcp/7676", "Where libp2p listens, as one multiaddr."),
  peers: list("Nodes to fetch missing blocks from, each with /p2p/ and its peer id.", {
    example: "/ip4/10.0.0.2/tcp/26656/p2p/12D3KooW...",
  }),
  allowed_peers: list("Nodes that may connect besides p2p.peers; same form."),
  blocked_peers: list("Nodes that may not connect; same form."),
  disable_connection_gater: ignored(
    // ev-node's default is true, and lets anybody connect.
    bool(false, "ev-node's switch. Here only configured and allowed peers may connect."),
    "only p2p.peers and p2p.allowed_peers may connect",
  ),
};
