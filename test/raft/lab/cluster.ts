/**
 * A cluster of cores on a table: every clock, message and write moves only when told to, and what each
 * core says is written down. For transcripts; the simulator runs whole drivers instead.
 */

import { assert, defined } from "../../../src/base/assert.ts";
import { RaftCore } from "../../../src/raft/core.ts";
import type { Message } from "../../../src/raft/message.ts";
import type { OutboundMessage, Persist, RaftInput, Ready } from "../../../src/raft/ready.ts";
import type { RaftOptions } from "../../../src/raft/server.ts";
import type { Entry, LogIndex, ServerId } from "../../../src/raft/types.ts";
import type { MemoryLog } from "./memory-log.ts";
import {
  entriesText,
  eventText,
  messageText,
  persistText,
  proposalText,
  readText,
  textCodec,
} from "./words.ts";

/** How much of what the cores say is written down. */
type Detail = "sent" | "delivered" | "events";

type Condition = "runs" | "paused" | "crashed";

interface LabServer {
  readonly id: ServerId;
  disk: MemoryLog;
  core: RaftCore;
  condition: Condition;
  isDiskStalled: boolean;
  /** By how much its clock is ahead of the table's. */
  skewMs: number;
  deadlineMs: number;
  writing: Persist[];
  durableSequence: number;
  held: OutboundMessage[];
  shownCommit: LogIndex;
}

const timeouts = {
  heartbeatTimeoutMs: 100,
  electionTimeoutMs: 200,
  leaderLeaseTimeoutMs: 60,
  replicationStallMs: 2_000,
};

export class LabCluster {
  nowMs = 0;
  readonly servers = new Map<ServerId, LabServer>();
  /** The links on which nothing arrives, as `from->to`. */
  readonly cuts = new Set<string>();
  /** Whose entries do not arrive, though all else does. */
  readonly choked = new Set<ServerId>();
  #wire: Message[] = [];
  readonly #aside: Message[] = [];
  #lines: string[] = [];
  #detail: Detail = "sent";

  /** What was said since the last call. */
  takeLines(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  /** Clears the table: no servers, nothing under way, time begins anew. */
  clear(): void {
    this.nowMs = 0;
    this.servers.clear();
    this.heal();
    this.#wire = [];
  }

  heal(): void {
    this.cuts.clear();
    this.choked.clear();
  }

  say(line: string): void {
    this.#lines.push(line);
  }

  within(detail: Detail, work: () => void): void {
    this.#detail = detail;
    work();
    this.#detail = "sent";
  }

  server(id: ServerId): LabServer {
    return defined(this.servers.get(id), `server ${id} is on the table`);
  }

  /** (Re)starts a server from its disk. What was not durable is gone; so is what was under way to it. */
  boot(id: ServerId, disk: MemoryLog): void {
    const skewMs = this.servers.get(id)?.skewMs ?? 0;
    const options: RaftOptions = { id, ...timeouts };
    // Constant and different, so that who times out first is part of the story: 1 before 2 before 3.
    const random = () => (Number(id) - 1) / 8;
    const dependencies = { random, codec: textCodec, addressOf: () => null };
    const core = new RaftCore(options, dependencies, disk, this.nowMs + skewMs);
    const server: LabServer = {
      id,
      disk,
      core,
      skewMs,
      condition: "runs",
      isDiskStalled: false,
      deadlineMs: 0,
      writing: [],
      durableSequence: 0,
      held: [],
      shownCommit: core.commitIndex,
    };
    this.servers.set(id, server);
    this.#wire = this.#wire.filter((message) => message.to !== id);
    this.within("events", () => this.input(id, { kind: "tick" }));
  }

  crash(id: ServerId): void {
    this.server(id).condition = "crashed";
    this.#wire = this.#wire.filter((message) => message.from !== id);
  }

  /** One step of one core, with all that follows from it on that server. */
  input(id: ServerId, input: RaftInput): void {
    const server = this.server(id);
    this.#carryOut(server, server.core.step(input, this.nowMs + server.skewMs));
    if (!server.isDiskStalled) this.persist(id);
  }

  /** Moves this server's own clock on to its next deadline. */
  timeOut(id: ServerId): void {
    const server = this.server(id);
    server.skewMs = Math.max(server.skewMs, server.deadlineMs - this.nowMs);
    this.input(id, { kind: "tick" });
  }

  /** Makes durable what the server has given to its disk. */
  persist(id: ServerId): void {
    const server = this.server(id);
    for (;;) {
      const persist = server.writing.shift();
      if (persist === undefined) return;
      server.disk.write(persist);
      server.durableSequence = persist.sequence;
      const due = server.held.filter((out) => out.afterSequence <= persist.sequence);
      server.held = server.held.filter((out) => out.afterSequence > persist.sequence);
      for (const { message } of due) this.#send(message);
      const input: RaftInput = { kind: "persisted", sequence: persist.sequence };
      this.#carryOut(server, server.core.step(input, this.nowMs + server.skewMs));
    }
  }

  /** Delivers what is under way from `from` to `to`, oldest first; returns whether there was anything. */
  deliver(isWanted: (message: Message) => boolean): boolean {
    const at = this.#wire.findIndex(
      (message) => isWanted(message) && this.servers.get(message.to)?.condition !== "paused",
    );
    const [message] = at < 0 ? [] : this.#wire.splice(at, 1);
    if (message === undefined) return false;
    if (this.#isReachable(message)) this.#arrive(message);
    else this.fail(message);
    return true;
  }

  /** Takes messages off the wire without a word to anybody. */
  drop(isWanted: (message: Message) => boolean): Message[] {
    const dropped = this.#wire.filter(isWanted);
    this.#wire = this.#wire.filter((message) => !isWanted(message));
    return dropped;
  }

  /** Puts the oldest message aside, so that later ones overtake it. */
  hold(isWanted: (message: Message) => boolean): Message[] {
    const at = this.#wire.findIndex(isWanted);
    const held = at < 0 ? [] : this.#wire.splice(at, 1);
    this.#aside.push(...held);
    return held;
  }

  release(): void {
    this.#wire.push(...this.#aside.splice(0));
  }

  /** The sender of a request learns that there will be no answer. */
  fail(message: Message): void {
    const isRequest = message.kind.endsWith("Request");
    const requester = this.servers.get(isRequest ? message.from : message.to);
    if (requester?.condition !== "runs") return;
    const to = isRequest ? message.to : message.from;
    const kind = requestKindOf(message);
    const term = "term" in message ? message.term : 0;
    this.input(requester.id, { kind: "rpcFailed", request: { kind, to, id: message.id, term } });
  }

  /** Lets time pass for all, with wire and disks that take none. */
  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (let steps = 0; ; steps++) {
      assert(steps < 100_000, "time goes on");
      while (this.deliver(() => true));
      const running = [...this.servers.values()].filter((s) => s.condition === "runs");
      const nextMs = Math.min(...running.map((s) => s.deadlineMs - s.skewMs));
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      for (const server of running) {
        if (server.deadlineMs <= this.nowMs + server.skewMs)
          this.input(server.id, { kind: "tick" });
      }
    }
    this.nowMs = endMs;
  }

  #arrive(message: Message): void {
    const lineCount = this.#lines.length;
    if (this.#detail !== "events") this.say(messageText(message));
    this.input(message.to, { kind: "message", message });
    const isHeartbeat = message.kind.startsWith("heartbeat");
    // A heartbeat that changes nothing is not worth a line.
    const isHeaderOnly = this.#detail !== "events" && this.#lines.length === lineCount + 1;
    if (isHeartbeat && isHeaderOnly) this.#lines.pop();
  }

  #carryOut(server: LabServer, ready: Ready): void {
    const { id } = server;
    const isBrief = this.#detail === "events";
    const prefix = isBrief ? `${String(this.nowMs).padStart(5)} ${id}: ` : `  ${id}: `;
    for (const event of ready.events) this.say(prefix + eventText(event));
    if (ready.persist !== null) {
      server.writing.push(ready.persist);
      if (!isBrief) this.say(prefix + persistText(ready.persist));
    }
    for (const answer of ready.proposals) this.say(prefix + proposalText(answer));
    for (const answer of ready.reads) this.say(prefix + readText(answer));
    for (const out of ready.send) {
      const isHeld = out.afterSequence > server.durableSequence;
      if (isHeld) server.held.push(out);
      else this.#send(out.message);
      if (isHeld && server.isDiskStalled) {
        this.say(`${prefix}holds ${messageText(out.message)} until #${out.afterSequence}`);
      } else if (this.#detail === "sent") {
        this.say(`  ${messageText(out.message)}`);
      }
    }
    if (ready.commitIndex > server.shownCommit) {
      this.say(`${prefix}commits ${this.#committed(server, ready.commitIndex)}`);
      server.shownCommit = ready.commitIndex;
    }
    assert(ready.deadlineMs > this.nowMs + server.skewMs, "the next deadline lies ahead", { id });
    server.deadlineMs = ready.deadlineMs;
  }

  #committed({ core, shownCommit }: LabServer, commitIndex: LogIndex): string {
    const all: Entry[] = [];
    while (shownCommit + all.length < commitIndex) {
      const entries = core.committedEntries(shownCommit + all.length + 1);
      if (entries === null) return `a snapshot, up to ${commitIndex}`;
      all.push(...entries);
    }
    return entriesText(all);
  }

  #send(message: Message): void {
    this.#wire.push(message);
  }

  #isReachable(message: Message): boolean {
    const { from, to } = message;
    if (this.cuts.has(`${from}->${to}`)) return false;
    const isLarge = message.kind === "appendEntriesRequest" && message.entries.length > 0;
    if (isLarge && this.choked.has(from)) return false;
    return this.servers.get(to)?.condition === "runs";
  }
}

function requestKindOf(message: Message) {
  switch (message.kind) {
    case "appendEntriesRequest":
    case "appendEntriesResponse":
      return "appendEntriesRequest" as const;
    case "heartbeatRequest":
    case "heartbeatResponse":
      return "heartbeatRequest" as const;
    case "requestVoteRequest":
    case "requestVoteResponse":
      return "requestVoteRequest" as const;
    case "requestPreVoteRequest":
    case "requestPreVoteResponse":
      return "requestPreVoteRequest" as const;
    case "installSnapshotRequest":
    case "installSnapshotResponse":
      return "installSnapshotRequest" as const;
    case "timeoutNowRequest":
    case "timeoutNowResponse":
      return "timeoutNowRequest" as const;
    default:
      return message satisfies never;
  }
}
