/** What can go wrong between libp2p and an operator, as codes with facts and sentences with advice. */

import { toHex } from "../base/bytes.ts";
import { CodedError } from "../base/coded-error.ts";
import type { Height } from "../block/types.ts";

type P2pErrorDetail =
  | { readonly code: "P2P_BAD_ADDRESS"; readonly setting: string; readonly address: string }
  | { readonly code: "P2P_BAD_KEY" }
  | { readonly code: "P2P_ADDRESS_IN_USE"; readonly address: string }
  | { readonly code: "P2P_ADDRESS_NOT_LOCAL"; readonly address: string }
  | { readonly code: "P2P_PORT_FORBIDDEN"; readonly address: string }
  | { readonly code: "P2P_LISTEN_FAILED"; readonly address: string }
  /** The chain that leads to the committed block does not go through our own head. */
  | {
      readonly code: "P2P_DIVERGED";
      readonly height: Height;
      readonly ourHash: string;
      readonly theirHash: string;
    }
  /** The committed block's chain is not the one of our genesis. */
  | { readonly code: "P2P_FOREIGN_CHAIN"; readonly height: Height; readonly reason: string }
  | { readonly code: "P2P_PROGRESS_DAMAGED"; readonly height: Height };

export class P2pError extends CodedError<P2pErrorDetail> {}

/** An address in the configuration that cannot be used; `setting` is the key to change. */
export function badAddress(
  setting: string,
  address: string,
  advice: string,
  cause?: unknown,
): P2pError {
  const detail = { code: "P2P_BAD_ADDRESS", setting, address } as const;
  const options = cause === undefined ? undefined : { cause };
  return new P2pError(detail, `${setting}: ${JSON.stringify(address)} ${advice}`, options);
}

/** The failure to listen on `address`, by the system's code for it. */
export function listenFailed(
  address: string,
  systemCode: string | undefined,
  cause: unknown,
): P2pError {
  const setting = `p2p.listen_address ${address}`;
  switch (systemCode) {
    case "EADDRINUSE":
      return new P2pError(
        { code: "P2P_ADDRESS_IN_USE", address },
        `${setting} is in use by another process. Stop it (\`ss -ltnp\` names it), or set another port in p2p.listen_address and in every peer's p2p.peers.`,
        { cause },
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new P2pError(
        { code: "P2P_ADDRESS_NOT_LOCAL", address },
        `${setting} is no address of this machine. Set p2p.listen_address to a local address, or to /ip4/0.0.0.0/tcp/<port> for all.`,
        { cause },
      );
    case "EACCES":
      return new P2pError(
        { code: "P2P_PORT_FORBIDDEN", address },
        `${setting} may not be opened by this user. Set a port above 1023 in p2p.listen_address, or grant CAP_NET_BIND_SERVICE.`,
        { cause },
      );
    default:
      return new P2pError(
        { code: "P2P_LISTEN_FAILED", address },
        `cannot listen on ${setting}. Check p2p.listen_address.`,
        { cause },
      );
  }
}

export function diverged(height: Height, ours: Uint8Array, theirs: Uint8Array): P2pError {
  const ourHash = `0x${toHex(ours)}`;
  const theirHash = `0x${toHex(theirs)}`;
  return new P2pError(
    { code: "P2P_DIVERGED", height, ourHash, theirHash },
    `state divergence at height ${height}: this node holds block ${ourHash}, and the chain that Raft committed goes through ${theirHash}. Wipe this node's data directory, and let it fetch the chain again.`,
  );
}

export function foreignChain(height: Height, reason: string): P2pError {
  return new P2pError(
    { code: "P2P_FOREIGN_CHAIN", height, reason },
    `block ${height} of the chain that Raft committed is not one of this node's genesis: ${reason}. Compare genesis.json with that of the other nodes.`,
  );
}

export function progressDamaged(height: Height): P2pError {
  return new P2pError(
    { code: "P2P_PROGRESS_DAMAGED", height },
    `the saved progress of the backfill names a hash at height ${height} that is not on the committed chain. It is dropped: start the node again, and the backfill begins anew.`,
  );
}
