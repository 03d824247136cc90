/**
 * One member of the benchmark's cluster, in a process of its own: a consensus thread with its log and
 * its port, and in place of a sequencer a proposer that does nothing but propose.
 */

import { Consensus } from "../../src/consensus/consensus.ts";
import type { RoleReport } from "../../src/consensus/driver.ts";
import type { CommittedEntry } from "../../src/consensus/messages.ts";
import { monotonicMs } from "../../src/consensus/shared-lease.ts";
import type { Term } from "../../src/raft/types.ts";
import { runLoad } from "./proposer.ts";
import type { FromMember, MemberOptions, ToMember, Usage } from "./protocol.ts";

/** Deliveries are told of when they pause for so long; a catch-up ends with such a pause. */
const deliveryPauseMs = 20;
const handOverEveryMs = 500;

class Member {
  readonly #consensus: Consensus;
  #role: RoleReport | null = null;
  #lightLoad: { readonly data: Uint8Array; readonly pauseMs: number } | null = null;
  #hasContact = false;
  /** The newest term of which a command was seen. */
  #seenTerm: Term = 0;
  #delivered = { index: 0, atMs: 0 };
  #deliveryTimer: NodeJS.Timeout | null = null;
  #isHandingOver = false;

  constructor({ id, raftDir, port, advertisedAddress, peers, timeouts }: MemberOptions) {
    this.#consensus = new Consensus(
      {
        nodeId: id,
        chainId: "bench",
        raftDir,
        ...timeouts,
        snapshotThreshold: 8192,
        trailingLogs: 10_240,
        snapCount: 3,
        blockIntervalMaxMs: 1_000,
        mapSizeBytes: null,
        allowVolatile: true,
        voters: [id, ...peers.map(([peerId]) => peerId)].sort(),
        knownMembers: [],
        appliedIndex: 0,
        firstHeight: 1,
        readiness: { isReady: true, appliedHeight: 0, priority: 0 },
        network: {
          listenHost: "127.0.0.1",
          listenPort: port,
          peers,
          advertisedAddress,
          allowFrom: [],
          chain: new Uint8Array(8),
        },
      },
      {
        committed: (entries) => this.#committed(entries),
        snapshot: () => {},
        snapshotWanted: () => Promise.resolve(null),
        begun: () => {},
        role: (report) => this.#roleChanged(report),
        events: () => {},
        transport: () => {},
        measured: () => {},
        peerAsks: async () => ({ status: 404, body: new Uint8Array() }),
        failed: (error) => fail(error),
      },
    );
  }

  async start(): Promise<void> {
    await this.#consensus.start();
    tell({ kind: "started", atMs: monotonicMs() });
  }

  async take(question: ToMember): Promise<void> {
    const { requestId } = question;
    switch (question.kind) {
      case "load": {
        const result = await runLoad(this.#consensus, this.#role?.term ?? 0, question);
        return tell({ kind: "answer", requestId, result });
      }
      case "usage":
        return tell({ kind: "answer", requestId, result: usage() });
      case "keepProposing": {
        const { sizeBytes, pauseMs } = question;
        this.#lightLoad = { data: new Uint8Array(sizeBytes).fill(7), pauseMs };
        if (this.#role !== null) this.#proposeWhileLeading(this.#role.term);
        return tell({ kind: "answer", requestId, result: null });
      }
      case "rest":
        this.#lightLoad = null;
        return tell({ kind: "answer", requestId, result: null });
      case "stop":
        await this.#consensus.stop();
        tell({ kind: "answer", requestId, result: null });
        process.disconnect();
    }
  }

  /** SIGTERM on a leader: another takes over before this process ends, as a whole node does it (P9). */
  async handOver(): Promise<void> {
    if (this.#role?.role === "leader") {
      this.#isHandingOver = true;
      // Again and again, as a node does: one attempt may be refused or fail. The next leader's word ends the process.
      while (this.#role?.role === "leader") {
        this.#consensus.transferLeadership(null);
        await new Promise((resolve) => setTimeout(resolve, handOverEveryMs));
      }
      return;
    }
    await this.#consensus.stop();
    process.exit(0);
  }

  #roleChanged(report: RoleReport): void {
    // Not before somebody leads: until then this member's vote and its copy of the log are of use.
    const hasHandedOver =
      this.#isHandingOver && report.role !== "leader" && report.leaderId !== null;
    const hasBegun = report.role === "leader" && !this.#leads(report.term);
    this.#role = report;
    if (report.leaderId !== null && !this.#hasContact) {
      this.#hasContact = true;
      tell({ kind: "contact", atMs: monotonicMs() });
    }
    const { term, leaderId, hasJoined } = report;
    tell({ kind: "role", report: { term, leaderId, hasJoined }, atMs: monotonicMs() });
    if (hasBegun) this.#proposeWhileLeading(report.term);
    if (hasHandedOver) {
      this.#isHandingOver = false;
      void this.handOver();
    }
  }

  #committed(entries: readonly CommittedEntry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.#consensus.applied(last.index);
    const atMs = monotonicMs();
    const command = entries.findLast((entry) => entry.kind === "command");
    if (command !== undefined && !this.#leads(command.term)) {
      this.#sawCommand(command.term, atMs);
    }
    this.#delivered = { index: last.index, atMs };
    this.#deliveryTimer ??= setInterval(() => this.#tellDelivered(), deliveryPauseMs);
  }

  #tellDelivered(): void {
    if (monotonicMs() - this.#delivered.atMs < deliveryPauseMs) return;
    if (this.#deliveryTimer !== null) clearInterval(this.#deliveryTimer);
    this.#deliveryTimer = null;
    tell({ kind: "delivered", ...this.#delivered });
  }

  #sawCommand(term: Term, atMs: number): void {
    if (term <= this.#seenTerm) return;
    this.#seenTerm = term;
    tell({ kind: "seen", term, atMs });
  }

  #leads(term: Term): boolean {
    return this.#role?.role === "leader" && this.#role.term === term;
  }

  #proposeWhileLeading(term: Term, load = this.#lightLoad): void {
    if (load === null || load !== this.#lightLoad || !this.#leads(term) || isTerminated) return;
    void this.#consensus.propose(term, load.data).then((outcome) => {
      if (outcome.kind === "committed") {
        tell({ kind: "acknowledged", term, atMs: monotonicMs() });
      }
      setTimeout(() => this.#proposeWhileLeading(term, load), load.pauseMs);
    });
  }
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage().rss };
}

function tell(message: FromMember): void {
  if (process.connected) process.send?.(message);
}

function fail(error: unknown): void {
  tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  if (process.connected) process.disconnect();
}

let isTerminated = false;
// The benchmark gives these as JSON, from the same build.
const member = new Member(JSON.parse(process.argv[2] ?? "{}") as MemberOptions);
process.on("message", (question: ToMember) => {
  member.take(question).catch(fail);
});
process.on("SIGTERM", () => {
  isTerminated = true;
  void member.handOver();
});
// Whoever started it is gone: nobody would ever end it.
process.on("disconnect", () => process.exit());
await member.start().catch(fail);
