/** A member of a cluster that runs hashicorp/raft on BoltDB: a process, killed and restarted like ours. */

import { join } from "node:path";
import { z } from "zod";
import { base64Bytes, GoProgram, toBase64 } from "./go-program.ts";

export interface Timeouts {
  readonly heartbeatTimeoutMs: number;
  readonly electionTimeoutMs: number;
  readonly leaderLeaseTimeoutMs: number;
}

export interface MemberPlace {
  readonly id: string;
  /** `host:port`. */
  readonly address: string;
}

export interface HashicorpOptions extends MemberPlace, Timeouts {
  readonly directory: string;
  readonly others: readonly MemberPlace[];
  readonly trailingLogs: number;
}

const statusSchema = z.object({
  state: z.enum(["Follower", "Candidate", "Leader", "Shutdown"]),
  term: z.number(),
  leaderId: z.string(),
  commitIndex: z.number(),
  appliedIndex: z.number(),
  lastIndex: z.number(),
  /** Of its newest snapshot, its own or one that it was sent; 0 without any. */
  snapshotIndex: z.number(),
  /** Snapshots that it has restored since its start, at which it restores the newest that it has. */
  restores: z.number(),
  /** The content of the last of these. */
  restored: base64Bytes,
  fsm: base64Bytes,
});

const entrySchema = z.object({
  index: z.number(),
  term: z.number(),
  type: z.number(),
  data: base64Bytes,
  extensions: base64Bytes,
  /** In Go's binary format. */
  appendedAt: base64Bytes,
});

export type MemberStatus = z.infer<typeof statusSchema>;

/** An entry as both sides have it, its kind by hashicorp's number. */
export type MemberEntry = z.infer<typeof entrySchema>;

export class HashicorpMember {
  readonly place: MemberPlace;
  readonly logFile: string;
  readonly #options: HashicorpOptions;
  #program: GoProgram | null = null;

  constructor(options: HashicorpOptions) {
    this.#options = options;
    this.place = { id: options.id, address: options.address };
    this.logFile = join(options.directory, "..", `${options.id}.log`);
  }

  get id(): string {
    return this.place.id;
  }

  get isRunning(): boolean {
    return this.#program !== null && !this.#program.hasEnded;
  }

  async start(): Promise<void> {
    this.#program = await GoProgram.start(
      "hashicorp",
      [JSON.stringify(this.#options)],
      this.logFile,
    );
  }

  async status(): Promise<MemberStatus> {
    return statusSchema.parse(await this.#ask("status"));
  }

  /** The index at which `data` is committed; rejects if this member does not lead, or no longer. */
  async apply(data: Uint8Array): Promise<number> {
    return z.number().parse(await this.#ask("apply", toBase64(data)));
  }

  /** What the state machine was given since the start, in order. */
  async applied(): Promise<readonly MemberEntry[]> {
    return z.array(entrySchema).parse(await this.#ask("applied"));
  }

  /** What is in the log, committed or not. */
  async log(): Promise<readonly MemberEntry[]> {
    return z.array(entrySchema).parse(await this.#ask("log"));
  }

  /** Takes a snapshot, and shortens the log behind it. */
  async snapshot(): Promise<void> {
    await this.#ask("snapshot");
  }

  async transferTo(target: MemberPlace): Promise<void> {
    await this.#ask("transfer", target);
  }

  signal(signal: NodeJS.Signals): void {
    this.#program?.signal(signal);
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
    this.#program = null;
  }

  #ask(ask: string, about: unknown = null): Promise<unknown> {
    if (this.#program === null) return Promise.reject(new Error(`${this.id} does not run`));
    return this.#program.ask(ask, about);
  }
}
