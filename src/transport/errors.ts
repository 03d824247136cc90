/** What can go wrong on the Raft port, as codes with facts and sentences with advice. */

import { CodedError } from "../base/coded-error.ts";
import type { ServerId } from "../raft/types.ts";

/** Why a call to a peer ended without an answer. */
export type CallFailure =
  | "unknownPeer"
  | "backingOff"
  | "queueFull"
  | "dialFailed"
  | "closedByPeer"
  | "closed"
  | "timedOut"
  | "refusedByPeer"
  /** It is no ev-sequencer: it knows no calls between nodes. */
  | "foreignPeer"
  | "stopped";

type TransportErrorDetail =
  | { readonly code: "TRANSPORT_ADDRESS_IN_USE"; readonly address: string }
  | { readonly code: "TRANSPORT_ADDRESS_NOT_LOCAL"; readonly address: string }
  | { readonly code: "TRANSPORT_PORT_FORBIDDEN"; readonly address: string }
  | { readonly code: "TRANSPORT_LISTEN_FAILED"; readonly address: string }
  | { readonly code: "TRANSPORT_BAD_ADDRESS"; readonly setting: string; readonly address: string }
  | { readonly code: "TRANSPORT_BAD_ALLOW_FROM"; readonly entry: string }
  | { readonly code: "TRANSPORT_BAD_FRAME"; readonly reason: string }
  | {
      readonly code: "TRANSPORT_CALL_FAILED";
      readonly peerId: ServerId;
      readonly failure: CallFailure;
    };

export class TransportError extends CodedError<TransportErrorDetail> {}

/** An address in the configuration that cannot be used; `setting` is the key to change. */
export function badAddress(setting: string, address: string, advice: string): TransportError {
  return new TransportError(
    { code: "TRANSPORT_BAD_ADDRESS", setting, address },
    `${setting}: ${JSON.stringify(address)} ${advice}`,
  );
}

/** Bytes that are no message of this protocol; Go closes the connection on them, and so do we. */
export function badFrame(reason: string, cause?: unknown): TransportError {
  return new TransportError({ code: "TRANSPORT_BAD_FRAME", reason }, reason, because(cause));
}

export function callFailed(
  peerId: ServerId,
  failure: CallFailure,
  message: string,
  cause?: unknown,
): TransportError {
  const detail = { code: "TRANSPORT_CALL_FAILED", peerId, failure } as const;
  return new TransportError(detail, message, because(cause));
}

function because(cause: unknown): ErrorOptions | undefined {
  return cause === undefined ? undefined : { cause };
}

/** The failure to listen on `address`, with what an operator can do about it. */
export function listenFailed(address: string, cause: NodeJS.ErrnoException): TransportError {
  switch (cause.code) {
    case "EADDRINUSE":
      return new TransportError(
        { code: "TRANSPORT_ADDRESS_IN_USE", address },
        `raft.raft_addr ${address} is in use by another process. Stop it (\`ss -ltnp\` names it), or set another port in raft.raft_addr and in every peer's raft.peers.`,
        { cause },
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new TransportError(
        { code: "TRANSPORT_ADDRESS_NOT_LOCAL", address },
        `raft.raft_addr ${address} is no address of this machine. Set raft.raft_addr to a local address or to 0.0.0.0, and raft.advertise_addr to the address that peers reach.`,
        { cause },
      );
    case "EACCES":
      return new TransportError(
        { code: "TRANSPORT_PORT_FORBIDDEN", address },
        `raft.raft_addr ${address} may not be opened by this user. Set a port above 1023 in raft.raft_addr, or grant CAP_NET_BIND_SERVICE.`,
        { cause },
      );
    default:
      return new TransportError(
        { code: "TRANSPORT_LISTEN_FAILED", address },
        `cannot listen on raft.raft_addr ${address}: ${cause.message}. Check raft.raft_addr.`,
        { cause },
      );
  }
}

/** No answer came in time; there may have been no fault but slowness. */
export function isLate({ detail }: TransportError): boolean {
  return detail.code === "TRANSPORT_CALL_FAILED" && detail.failure === "timedOut";
}
