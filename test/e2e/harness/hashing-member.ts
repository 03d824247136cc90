/**
 * A member of a cluster, to be killed: a consensus thread, and a state machine that is a running hash and
 * proposes whenever it leads. What it has applied is on its disk some time later, as with blocks. It says
 * what it sees in lines of JSON, and dies of anything that must not be.
 */

import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Consensus } from "../../../src/consensus/consensus.ts";
import type { RoleReport } from "../../../src/consensus/driver.ts";
import type { CommittedEntry } from "../../../src/consensus/messages.ts";
import { type Said, Settings, State } from "./hashing-words.ts";

const settings = Settings.parse(JSON.parse(process.argv[2] ?? ""));
const statePath = join(settings.directory, "state.json");
/** So large that receiving and storing one takes a while, in which a process can be killed. */
const snapshotPadding = randomBytes(settings.snapshotBytes);
/** Every so many entries it tells its hash. */
const sayEvery = 10;

function say(said: Said): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

function refuse(reason: string): never {
  process.stderr.write(`${settings.id}: ${reason}\n`);
  process.exit(1);
}

class HashingMember {
  #applied: State = { index: 0, term: 0, hash: "" };
  #saved: State;
  #isSaving = false;
  #role: RoleReport | null = null;
  readonly #consensus: Consensus;

  constructor() {
    this.#applied = existsSync(statePath)
      ? State.parse(JSON.parse(readFileSync(statePath, "utf8")))
      : this.#applied;
    this.#saved = this.#applied;
    const { id, directory, ports } = settings;
    this.#consensus = new Consensus(
      {
        nodeId: id,
        chainId: "hashing",
        raftDir: join(directory, "raft"),
        heartbeatTimeoutMs: 300,
        electionTimeoutMs: 300,
        leaderLeaseTimeoutMs: 200,
        sendTimeoutMs: 200,
        blockIntervalMaxMs: 1_000,
        snapshotThreshold: settings.snapshotThreshold,
        trailingLogs: settings.trailingLogs,
        snapCount: 2,
        mapSizeBytes: null,
        allowVolatile: true,
        voters: Object.keys(ports),
        knownMembers: [],
        appliedIndex: this.#applied.index,
        // Each entry counts as a block here.
        readiness: { isReady: true, appliedHeight: this.#applied.index, priority: 0 },
        firstHeight: 1,
        network: {
          listenHost: "127.0.0.1",
          listenPort: ports[id] ?? 0,
          peers: Object.entries(ports)
            .filter(([peerId]) => peerId !== id)
            .map(([peerId, port]) => [peerId, `127.0.0.1:${port}`] as const),
          advertisedAddress: null,
          allowFrom: [],
          chain: new Uint8Array(8),
        },
      },
      {
        committed: (entries) => this.#committed(entries),
        snapshot: ({ last, data }) => this.#restore(last.index, data),
        snapshotWanted: async () => {
          const { index, term } = this.#saved;
          if (index === 0) return null;
          const state = Buffer.from(`${JSON.stringify(this.#saved)}\n`);
          return { index, term, data: Buffer.concat([state, snapshotPadding]) };
        },
        begun: () => {},
        role: (report) => {
          this.#role = report;
        },
        events: (events) => {
          for (const { event } of events) {
            if (event.kind.startsWith("snapshot")) say({ kind: "event", event: event.kind });
          }
        },
        transport: () => {},
        measured: () => {},
        peerAsks: async () => ({ status: 404, body: new Uint8Array() }),
        failed: (error) => refuse(error.stack ?? error.message),
      },
    );
  }

  async run(): Promise<never> {
    await this.#consensus.start();
    say({ kind: "started", index: this.#applied.index });
    for (;;) {
      await delay(settings.proposeEveryMs);
      if (this.#role?.role !== "leader" || !this.#role.hasJoined) continue;
      await this.#consensus.propose(this.#role.term, randomBytes(64));
    }
  }

  #committed(entries: readonly CommittedEntry[]): void {
    for (const { index, term, data } of entries) {
      if (index !== this.#applied.index + 1) {
        refuse(`entry ${index} was delivered after ${this.#applied.index}`);
      }
      const hash = createHash("sha256").update(this.#applied.hash).update(`${index}/${term}`);
      const digest = hash.update(data ?? new Uint8Array()).digest("hex");
      this.#applied = { index, term, hash: digest };
      if (index % sayEvery === 0) say({ kind: "at", ...this.#applied });
    }
    this.#save();
    this.#consensus.applied(this.#applied.index);
  }

  #restore(index: number, data: Uint8Array): void {
    const text = new TextDecoder().decode(data.subarray(0, data.indexOf(0x0a)));
    const state = State.parse(JSON.parse(text));
    if (state.index !== index) refuse(`the snapshot of ${index} says that it is of ${state.index}`);
    if (index <= this.#applied.index) {
      refuse(`a snapshot of ${index} was delivered after ${this.#applied.index}`);
    }
    this.#applied = state;
    say({ kind: "restored", ...state });
    this.#save();
    this.#consensus.applied(index);
  }

  /** One write at a time, and then the newest state. */
  #save(): void {
    if (this.#isSaving || this.#saved.index === this.#applied.index) return;
    this.#isSaving = true;
    const state = this.#applied;
    writeDurably(statePath, JSON.stringify(state)).then(
      () => {
        this.#isSaving = false;
        this.#saved = state;
        this.#save();
      },
      (error: unknown) => refuse(String(error)),
    );
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(`${path}.tmp`, "w");
  await file.writeFile(text);
  await file.sync();
  await file.close();
  await rename(`${path}.tmp`, path);
}

new HashingMember().run().catch((error: unknown) => refuse(String(error)));
