/** Who executes the blocks, and how the databases are kept. */

import {
  bool,
  duration,
  optionalOneOf,
  optionalPath,
  optionalText,
  secret,
  size,
  text,
  whole,
} from "../key.ts";

export const executionKeys = {
  type: optionalOneOf(
    ["kv", "engine"],
    "kv: an embedded key-value store. engine: an Ethereum client over the Engine API. " +
      "Without it: engine if any evm key is set, else kv.",
    { example: "kv" },
  ),
  unready_after: duration(
    "3s",
    "An execution client that fails for this long makes the node not ready: it hands leadership over.",
    { minMs: 0 },
  ),
};

export const evmKeys = {
  eth_url: text("http://localhost:8545", "Ethereum JSON-RPC of the execution client.", {
    variables: ["EVM_ETH_URL"],
    isUnsetByDefault: true,
  }),
  engine_url: text("http://localhost:8551", "Engine API of the execution client.", {
    variables: ["EVM_ENGINE_URL"],
    isUnsetByDefault: true,
  }),
  jwt_secret_file: optionalPath("File with the Engine API secret: 32 bytes in hexadecimal.", {
    example: "/etc/ev-node/jwt.hex",
  }),
  jwt_secret: secret(
    "The Engine API secret itself. Others can read a command line: prefer jwt_secret_file.",
    { variables: ["EVM_JWT_SECRET"] },
  ),
  genesis_hash: optionalText("Hash of the execution chain's genesis block.", {
    example: "0x2b8bbb1ea1e04f9c9809b4b278a8687806edc061a356c7dbc491930d8e922503",
    variables: ["EVM_GENESIS_HASH"],
  }),
  safe_lag: whole(2, "The block that is reported as safe is this many below the head.", {
    isUnsetByDefault: true,
  }),
  finalized_lag: whole(3, "The block that is reported as finalized is this many below the head.", {
    isUnsetByDefault: true,
  }),
  tx_lifetime: duration(
    "3h",
    "A transaction that no block has taken for this long is dropped, as execution clients do.",
    { minMs: 1, isUnsetByDefault: true },
  ),
  fee_recipient: optionalText("Address that receives the fees.", {
    example: "0x0000000000000000000000000000000000000001",
  }),
};

export const storageKeys = {
  map_size: size(
    "1TiB",
    "The most that each database file may grow to. Address space is reserved for it, and no disk.",
  ),
  allow_volatile: bool(
    false,
    "Allow raft_dir on tmpfs or NFS. A member that forgets what it promised can break the chain.",
  ),
};
