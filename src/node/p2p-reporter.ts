/** What happens between libp2p peers, as log lines and metrics. */

import { unreachable } from "../base/assert.ts";
import { describeError } from "../base/coded-error.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Narrator } from "../observability/narrate.ts";
import type { P2pEvent } from "../p2p/event.ts";

/** A peer that is away, and a stranger that knocks, are one line in so long. */
const repeatIntervalMs = 60_000;

export class P2pReporter {
  readonly #metrics: Metrics;
  readonly #narrator: Narrator;
  readonly #log: Logger;

  constructor(dependencies: {
    readonly metrics: Metrics;
    readonly narrator: Narrator;
    readonly log: Logger;
  }) {
    this.#metrics = dependencies.metrics;
    this.#narrator = dependencies.narrator;
    this.#log = dependencies.log.child("p2p");
  }

  take(event: P2pEvent): void {
    switch (event.kind) {
      case "listening":
        return this.#log.info({ addresses: event.addresses.join(" ") }, "listening");
      case "connected": {
        const { peerId: peer, address, direction } = event;
        return this.#every(`up/${peer}`)?.info({ peer, address, direction }, "peer connected");
      }
      case "disconnected": {
        const { peerId: peer, address } = event;
        return this.#every(`down/${peer}`)?.info({ peer, address }, "peer disconnected");
      }
      case "dialFailed": {
        const { peerId: peer, address, reason, retryInMs } = event;
        const facts = { peer, address, reason, retryInMs: Math.round(retryInMs) };
        return this.#every(`dial/${peer}`)?.warn(facts, "cannot reach a peer");
      }
      case "refused": {
        this.#metrics.p2p.refused.inc({ kind: "connection" });
        const { peerId: peer, address, reason } = event;
        // By reason, not by peer: a stranger has as many ids as he likes.
        return this.#every(`refused/${reason}`)?.warn(
          { peer, address, reason },
          "connection refused",
        );
      }
      case "requestRefused": {
        this.#metrics.p2p.refused.inc({ kind: "request" });
        const { peerId: peer, reason } = event;
        return this.#every(`request/${peer}`)?.warn({ peer, reason }, "request refused");
      }
      case "serveFailed": {
        const { peerId: peer, error } = event;
        const facts = { peer, reason: describeError(error) };
        return this.#every("serve")?.warn(facts, "could not answer a peer");
      }
      case "badPeer":
        return this.#narrator.nodeEvent(event);
      case "progress":
        return this.#narrator.nodeEvent({ ...event, kind: "backfillProgress" });
      case "waiting":
        return this.#narrator.nodeEvent({ ...event, kind: "backfillWaiting" });
      default:
        return unreachable(event);
    }
  }

  #every(key: string): Logger | null {
    return this.#log.every(key, repeatIntervalMs);
  }
}
