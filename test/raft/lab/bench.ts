/** One core on a bench, server 1 of three: it is fed by hand, and its disk takes no time unless told to. */

import { defined } from "../../../src/base/assert.ts";
import { RaftCore } from "../../../src/raft/core.ts";
import { bootstrapEntry } from "../../../src/raft/membership.ts";
import type { Message } from "../../../src/raft/message.ts";
import type { OutboundMessage, Persist, RaftInput, Ready } from "../../../src/raft/ready.ts";
import type { RaftOptions } from "../../../src/raft/server.ts";
import type { Configuration, Entry, EntryKind, ServerId, Term } from "../../../src/raft/types.ts";
import { MemoryLog } from "./memory-log.ts";
import { parseConfiguration, textCodec } from "./words.ts";

export const timeouts = {
  heartbeatTimeoutMs: 100,
  electionTimeoutMs: 200,
  leaderLeaseTimeoutMs: 60,
};

interface Stored {
  readonly servers?: string;
  readonly term?: Term;
  readonly votedFor?: ServerId | null;
  /** Terms of the entries from index 1 on; the first is the configuration. */
  readonly log?: readonly Term[];
}

type Body<M> = M extends Message ? Omit<M, "from" | "to" | "id"> & Partial<Message> : never;

export class Bench {
  readonly core: RaftCore;
  readonly disk: MemoryLog;
  isDiskStalled = false;
  nowMs = 0;
  deadlineMs = 0;
  /** Of the last step, and of the steps that its writes led to. */
  readies: Ready[] = [];
  #writing: Persist[] = [];
  /** The number of the last request for a vote: an answer is to that, unless told otherwise. */
  readonly #lastAsked = new Map<ServerId, number>();

  constructor(stored: Stored = {}, options: Partial<RaftOptions> = {}) {
    const configuration = parseConfiguration(stored.servers ?? "1 2 3");
    const terms = stored.log ?? [1];
    const hardState = {
      currentTerm: stored.term ?? terms.at(-1) ?? 0,
      votedFor: stored.votedFor ?? null,
    };
    const entries = terms.map((term, at) => entryAt(term, at + 1, configuration));
    this.disk = new MemoryLog(hardState, entries);
    const dependencies = { random: () => 0, codec: textCodec, addressOf: () => null };
    this.core = new RaftCore({ id: "1", ...timeouts, ...options }, dependencies, this.disk, 0);
    this.step({ kind: "tick" });
  }

  step(input: RaftInput): Ready {
    this.readies = [];
    const ready = this.#take(input);
    if (!this.isDiskStalled) this.persist();
    return ready;
  }

  /** Makes everything durable that was given to the disk. */
  persist(): void {
    for (const persist of this.#writing.splice(0)) {
      this.disk.write(persist);
      this.#take({ kind: "persisted", sequence: persist.sequence });
    }
    if (this.#writing.length > 0) this.persist();
  }

  receive(from: ServerId, body: Body<Message>): Ready {
    const id = body.kind === "requestVoteResponse" ? (this.#lastAsked.get(from) ?? 0) : 1;
    const message = { id, ...body, from, to: "1" } as Message;
    return this.step({ kind: "message", message });
  }

  /** Time goes on to the core's next deadline. */
  timeOut(): Ready {
    this.nowMs = Math.max(this.nowMs, this.deadlineMs);
    return this.step({ kind: "tick" });
  }

  wait(durationMs: number): Ready {
    this.nowMs += durationMs;
    return this.step({ kind: "tick" });
  }

  propose(...texts: string[]): Ready {
    const commands = texts.map((text, at) => ({
      proposalId: at,
      data: new TextEncoder().encode(text),
      appendedAt: null,
    }));
    return this.step({ kind: "propose", term: this.core.currentTerm, commands });
  }

  /** Elected by as many as it takes; server 2 has acknowledged the first entry. */
  becomeLeader(): void {
    this.becomeCandidate();
    const { currentTerm: term } = this.core;
    for (const id of this.#others) {
      if (this.core.role !== "candidate") break;
      this.receive(id, { kind: "requestVoteResponse", term, granted: true });
    }
    this.acknowledge("2");
  }

  becomeCandidate(): void {
    this.timeOut();
    const term = this.core.currentTerm + 1;
    for (const id of this.#others) {
      if (this.core.role !== "preCandidate") break;
      this.receive(id, { kind: "requestPreVoteResponse", term, granted: true });
    }
  }

  /** `from` has stored what was sent to it up to `matchIndex`. */
  acknowledge(from: ServerId, matchIndex = this.core.status.lastIndex): Ready {
    return this.receive(from, {
      kind: "appendEntriesResponse",
      term: this.core.currentTerm,
      success: true,
      lastLogIndex: 0,
      noRetryBackoff: false,
      matchIndex,
      prevLogIndex: 0,
      sentAtMs: this.nowMs,
    });
  }

  follow(leaderId: ServerId, term: Term): void {
    this.receive(leaderId, { kind: "heartbeatRequest", term, sentAtMs: 0 });
  }

  get sent(): readonly OutboundMessage[] {
    return this.readies.flatMap((ready) => ready.send);
  }

  /** The messages of one kind in the last step. */
  sentOf<Kind extends Message["kind"]>(kind: Kind): Extract<Message, { kind: Kind }>[] {
    return this.sent
      .map((outbound) => outbound.message)
      .filter((message): message is Extract<Message, { kind: Kind }> => message.kind === kind);
  }

  /** The only message of one kind in the last step. */
  answer<Kind extends Message["kind"]>(kind: Kind): Extract<Message, { kind: Kind }> {
    const [message, ...others] = this.sentOf(kind);
    if (others.length > 0) throw new Error(`${others.length + 1} messages of kind ${kind}`);
    return defined(message, `a message of kind ${kind} was sent`);
  }

  events(): string[] {
    return this.readies.flatMap((ready) => ready.events.map((event) => event.kind));
  }

  /** Terms of the log as the core sees it. */
  get terms(): (Term | null)[] {
    const { lastIndex } = this.core.status;
    return Array.from({ length: lastIndex }, (_, at) => this.core.termAt(at + 1));
  }

  get #others(): ServerId[] {
    const { servers } = this.core.status.configuration;
    return servers.map((server) => server.id).filter((id) => id !== "1");
  }

  #take(input: RaftInput): Ready {
    const ready = this.core.step(input, this.nowMs);
    this.readies.push(ready);
    this.deadlineMs = ready.deadlineMs;
    if (ready.persist !== null) this.#writing.push(ready.persist);
    for (const { message } of ready.send) {
      if (message.kind === "requestVoteRequest") this.#lastAsked.set(message.to, message.id);
    }
    return ready;
  }
}

export function entryAt(term: Term, index: number, configuration?: Configuration): Entry {
  if (index === 1 && configuration !== undefined) {
    const ids = configuration.servers.map((server) => server.id);
    return { ...bootstrapEntry(ids, textCodec), term, data: textCodec.encode(configuration) };
  }
  return entry(term, index, "command", `e${index}`);
}

export function entry(term: Term, index: number, kind: EntryKind, text: string): Entry {
  const data = new TextEncoder().encode(text);
  return { term, index, kind, data, extensions: null, appendedAt: null };
}

/** An AppendEntries of `term` with entries of these terms after `prev`. */
export function append(
  term: Term,
  prev: { readonly term: Term; readonly index: number },
  terms: readonly Term[] = [],
  leaderCommit = 0,
) {
  const entries = terms.map((t, at) => entryAt(t, prev.index + 1 + at));
  return {
    kind: "appendEntriesRequest",
    term,
    prev,
    entries,
    leaderCommit,
    sentAtMs: 0,
  } as const;
}
