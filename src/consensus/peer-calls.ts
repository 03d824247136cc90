/** What the main threads of two members ask each other, over the Raft port. */

import { TransportError } from "../transport/errors.ts";
import type { ExtensionRequest } from "../transport/extension.ts";
import type { TcpTransport } from "../transport/tcp-transport.ts";
import type { FromConsensus, PeerFailure, ToConsensus } from "./messages.ts";

type Respond = (status: number, body: Uint8Array) => void;

export class PeerCalls {
  readonly #transport: () => TcpTransport | null;
  readonly #post: (message: FromConsensus) => void;
  /** Of other members, until the main thread answers them. */
  readonly #open = new Map<number, Respond>();
  #nextId = 0;

  constructor(transport: () => TcpTransport | null, post: (message: FromConsensus) => void) {
    this.#transport = transport;
    this.#post = post;
  }

  /** The main thread asks a peer. */
  ask({ requestId, peerId, method, body, timeoutMs }: ToConsensus & { kind: "askPeer" }): void {
    const answer = (outcome: (FromConsensus & { kind: "peerAnswered" })["answer"]) =>
      this.#post({ kind: "peerAnswered", requestId, answer: outcome });
    const transport = this.#transport();
    if (transport === null) {
      return answer({ kind: "failed", reason: "there are no peers", failure: "notSent" });
    }
    transport.request(peerId, method, body, { timeoutMs }).then(
      (reply) => answer({ kind: "answered", ...reply }),
      (error: Error) =>
        answer({ kind: "failed", reason: error.message, failure: failureOf(error) }),
    );
  }

  /** A peer asks the main thread. */
  asked({ from, method, body, respond }: ExtensionRequest): void {
    const requestId = ++this.#nextId;
    this.#open.set(requestId, respond);
    this.#post({ kind: "peerAsks", requestId, peerId: from, method, body });
  }

  answer({ requestId, status, body }: ToConsensus & { kind: "answerPeer" }): void {
    this.#open.get(requestId)?.(status, body);
    this.#open.delete(requestId);
  }
}

function failureOf(error: Error): PeerFailure {
  const detail = error instanceof TransportError ? error.detail : null;
  if (detail?.code !== "TRANSPORT_CALL_FAILED") return "unanswered";
  switch (detail.failure) {
    case "foreignPeer":
      return "foreign";
    case "unknownPeer":
    case "backingOff":
    case "queueFull":
    case "dialFailed":
      return "notSent";
    default:
      return "unanswered";
  }
}
