/** The consensus thread's measurements and the Raft port's events, as metrics and log lines. */

import { unreachable } from "../base/assert.ts";
import type { Measurements } from "../consensus/messages.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Narrator } from "../observability/narrate.ts";
import { recordRaftReport } from "../observability/raft-gauges.ts";
import type { PeerHealth } from "../observability/state-gauge.ts";
import type { PeerStatus } from "../raft/status.ts";
import type { TransportEvent } from "../transport/tcp-transport.ts";
import { healthOf, healthOfSilent } from "./cluster-view.ts";
import { WorstLoopDelay } from "./worst-loop-delay.ts";

export interface RaftMetricsOptions {
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
  readonly leaderLeaseTimeoutMs: number;
}

const repeatIntervalMs = 10_000;

const healthNames = {
  Healthy: "healthy",
  Degraded: "degraded",
  Unreachable: "unreachable",
} as const;

export class RaftMetrics {
  readonly #options: RaftMetricsOptions;
  readonly #metrics: Metrics;
  readonly #narrator: Narrator;
  readonly #log: Logger;
  readonly #failures = new Map<string, number>();
  readonly #loopDelay: WorstLoopDelay;

  constructor(
    options: RaftMetricsOptions,
    dependencies: {
      readonly metrics: Metrics;
      readonly narrator: Narrator;
      readonly log: Logger;
    },
  ) {
    this.#options = options;
    this.#metrics = dependencies.metrics;
    this.#narrator = dependencies.narrator;
    this.#log = dependencies.log.child("raft");
    this.#loopDelay = new WorstLoopDelay(dependencies.metrics);
  }

  record(measurements: Measurements, appliedIndex: number): void {
    const { status, loopDelay } = measurements;
    const { leaderLeaseTimeoutMs } = this.#options;
    this.#loopDelay.measured(loopDelay);
    const voters = status.configuration.servers.filter(({ suffrage }) => suffrage === "voter");
    recordRaftReport(
      {
        role: status.role,
        term: status.term,
        leaderId: status.leaderId,
        voterCount: voters.length,
        commitIndex: status.commitIndex,
        appliedIndex,
        firstLogIndex: status.firstIndex,
        lastLogIndex: status.lastIndex,
        snapshotLastIndex: status.snapshotIndex,
        // A lone voter's lease has no end: it is as fresh as can be.
        leaseAgeMs:
          status.leaseLeftMs === null
            ? null
            : Math.max(0, leaderLeaseTimeoutMs - status.leaseLeftMs),
        lastContactMs: status.leaderSilentMs,
        fsyncSamplesMs: measurements.fsyncSeconds.map((seconds) => seconds * 1000),
        commitSamplesMs: measurements.commitSeconds.map((seconds) => seconds * 1000),
        peers: measurements.peers.map((peer) => {
          const seen = status.peers.find(({ id }) => id === peer.id);
          const leaderSilentMs = status.leaderId === peer.id ? status.leaderSilentMs : null;
          return {
            id: peer.id,
            health: this.#healthOf(seen, leaderSilentMs),
            roundTripSamplesMs: measurements.roundTripsMs.get(peer.id) ?? [],
            matchIndex: seen?.matchIndex ?? null,
            heartbeatAgeMs: seen?.silentMs ?? leaderSilentMs,
            sentBytes: peer.sentBytes,
            receivedBytes: peer.receivedBytes,
            rpcFailures: this.#failures.get(peer.id) ?? 0,
          };
        }),
      },
      this.#metrics,
    );
  }

  /** As the leader sees a peer, or a follower its leader; null if nobody tells this node. */
  #healthOf(seen: PeerStatus | undefined, leaderSilentMs: number | null): PeerHealth | null {
    if (seen !== undefined) return healthNames[healthOf(seen, this.#options)];
    if (leaderSilentMs === null) return null;
    return healthNames[healthOfSilent(leaderSilentMs, this.#options)];
  }

  transportEvent(event: TransportEvent, atMs: number): void {
    switch (event.kind) {
      case "connected":
        if (event.purpose !== "append") return;
        this.#narrator.nodeEvent({ ...event, kind: "peerConnected" }, atMs);
        return;
      case "disconnected":
        this.#countFailure(event.peerId);
        if (event.purpose !== "append") return;
        this.#narrator.nodeEvent({ ...event, kind: "peerDisconnected" }, atMs);
        return;
      case "dialFailed": {
        this.#countFailure(event.peerId);
        const { peerId: peer, address, reason, count } = event;
        this.#log
          .every(`dial/${peer}`, repeatIntervalMs)
          ?.warn({ peer, address, reason, count }, "cannot reach a peer", atMs);
        return;
      }
      case "rpcRefused": {
        this.#countFailure(event.peerId);
        const { peerId: peer, request, error, count } = event;
        this.#log
          .every(`rpc/${peer}`, repeatIntervalMs)
          ?.warn({ peer, request, error, count }, "a peer refused a request", atMs);
        return;
      }
      case "resolveFailed": {
        const { host, reason } = event;
        this.#log
          .every(`resolve/${host}`, repeatIntervalMs)
          ?.warn({ host, reason }, "cannot resolve a peer's name", atMs);
        return;
      }
      case "acceptFailed":
        this.#log
          .every("accept", repeatIntervalMs)
          ?.error({ reason: event.reason }, "cannot accept connections; raise LimitNOFILE", atMs);
        return;
      case "strangerRefused":
        return this.#refused(event, "stranger", atMs);
      case "garbageReceived":
      case "requestRefused":
        return this.#refused(event, "garbage", atMs);
      case "stalled":
        return this.#refused(event, "timeout", atMs);
      case "tooManyConnections":
        return this.#refused(event, "overload", atMs);
      case "inboundClosed": {
        // A port check (`nc -z`): connected, said nothing, went away.
        const { remoteAddress, requests } = event;
        if (requests === 0) {
          this.#log
            .every("probe", repeatIntervalMs)
            ?.debug({ address: remoteAddress }, "a connection was closed without a request", atMs);
        }
        return;
      }
      case "listening":
        return this.#log.info({ host: event.host, port: event.port }, "listening", atMs);
      case "inboundConnected":
        return this.#log.debug(
          { peer: event.peerId, address: event.remoteAddress },
          "a peer connected",
          atMs,
        );
      case "processGone":
        return this.#log.debug({ peer: event.peerId }, "a peer's process is gone", atMs);
      default:
        return unreachable(event);
    }
  }

  #refused(
    { remoteAddress: address, reason }: { readonly remoteAddress: string; readonly reason: string },
    cause: "stranger" | "garbage" | "timeout" | "overload",
    atMs: number,
  ): void {
    this.#narrator.nodeEvent({ kind: "connectionRefused", address, cause, reason }, atMs);
  }

  #countFailure(peerId: string): void {
    this.#failures.set(peerId, (this.#failures.get(peerId) ?? 0) + 1);
  }
}
