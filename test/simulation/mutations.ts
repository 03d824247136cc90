/** Broken parts. A simulator that does not notice them would notice no bug either. */

import type { Message } from "../../src/raft/message.ts";
import type { Persist } from "../../src/raft/ready.ts";
import type { Entry, LogIndex, Snapshot, Standing } from "../../src/raft/types.ts";
import { type AppliedState, stateBytes, stateSnapshot } from "./applied-state.ts";
import { type PersistDone, SimulatedDisk } from "./disk.ts";
import { SimulatedHost } from "./host.ts";
import type { MemoryRaftStore } from "./memory-raft-store.ts";
import type { Mutant } from "./mutants/mutant.ts";
import { type Parts, soundParts } from "./parts.ts";
import { lostMemory } from "./violation.ts";

export interface Mutation extends Mutant {
  /** New for each simulation, as some remember what they did. */
  readonly parts: () => Parts;
}

/** Forgotten memory shows in one of fifty seeds; most need one or two. */
const seedsMax = 1_000;

const brokenParts = [
  {
    id: "hasty-disk",
    breaks: "a disk that answers before it has written",
    parts: disk((...inputs) => new HastyDisk(...inputs)),
    caughtAs: ["promised means durable"],
  },
  {
    id: "stuck-disk",
    breaks: "a disk that is never done",
    parts: disk((...inputs) => new StuckDisk(...inputs)),
    caughtAs: ["progress"],
  },
  {
    id: "old-disk",
    breaks: "a crash that brings back an old copy of the disk",
    parts: () => {
      const copies: MemoryRaftStore[] = [];
      return {
        ...soundParts,
        crash: (store, written) => {
          const found = soundParts.crash(store, written);
          copies.push(found.copy());
          return copies.length % 3 === 0 ? (copies.at(-3) ?? found) : found;
        },
      };
    },
    caughtAs: ["promised means durable"],
  },
  {
    id: "votes-forged",
    breaks: "a network that turns refused votes into given ones",
    parts: wire((message) =>
      message.kind === "requestVoteResponse" ? { ...message, granted: true } : message,
    ),
    caughtAs: ["one leader a term"],
  },
  {
    id: "logs-exaggerated",
    breaks: "candidates whose logs seem longer than they are",
    parts: wire((message) =>
      message.kind === "requestVoteRequest" || message.kind === "requestPreVoteRequest"
        ? { ...message, last: { term: message.term, index: message.last.index + 1000 } }
        : message,
    ),
    caughtAs: ["a leader has all that is committed"],
  },
  {
    id: "matches-forged",
    breaks: "a network that turns refused entries into stored ones",
    parts: wire((message) =>
      message.kind === "appendEntriesResponse" ? { ...message, success: true } : message,
    ),
    caughtAs: ["committed stays committed"],
  },
  {
    id: "commit-exaggerated",
    breaks: "leaders that tell a commit index too high",
    parts: wire((message) =>
      message.kind === "appendEntriesRequest"
        ? { ...message, leaderCommit: message.prev.index + message.entries.length }
        : message,
    ),
    caughtAs: ["committed stays committed"],
  },
  {
    id: "payload-changed",
    breaks: "a network that changes a payload",
    parts: wire((message) =>
      message.kind === "appendEntriesRequest" && message.id % 50 === 0
        ? { ...message, entries: message.entries.map(altered) }
        : message,
    ),
    caughtAs: ["logs match"],
  },
  {
    id: "answers-postdated",
    breaks: "answers to heartbeats that seem newer than they are",
    parts: wire((message) =>
      message.kind === "heartbeatResponse"
        ? { ...message, sentAtMs: message.sentAtMs + 5_000 }
        : message,
    ),
    caughtAs: ["reads are current", "one lease at a time"],
  },
  {
    id: "logs-denied",
    breaks: "followers that seem to have lost their logs",
    parts: wire((message) =>
      message.kind === "heartbeatResponse" ? { ...message, lastLogIndex: 0 } : message,
    ),
    caughtAs: ["no match is forgotten"],
  },
  {
    id: "unreadiness-hidden",
    breaks: "candidates that hide that they are not ready",
    parts: wire((message) =>
      message.kind === "requestPreVoteRequest" && message.readiness !== undefined
        ? { ...message, readiness: { ...message.readiness, isReady: true } }
        : message,
    ),
    caughtAs: ["the ready lead"],
  },
  {
    id: "forgetful-disk",
    breaks: "a log that loses more than its snapshot stands for",
    parts: disk((...inputs) => new ForgetfulDisk(...inputs)),
    caughtAs: ["snapshots stand for the log"],
  },
  {
    id: "partial-disk",
    breaks: "a disk that keeps snapshots without their configuration",
    parts: disk((...inputs) => new PartialDisk(...inputs)),
    caughtAs: ["snapshots stand for the log"],
  },
  {
    id: "snapshots-postdated",
    breaks: "snapshots that say they end an entry later",
    parts: wire((message) =>
      message.kind === "installSnapshotRequest"
        ? { ...message, snapshot: endingLater(message.snapshot) }
        : message,
    ),
    caughtAs: ["snapshots stand for the log"],
  },
  {
    id: "rash-host",
    breaks: "a host that gives a snapshot of what it may forget",
    parts: () => ({
      ...soundParts,
      host: (life, network, world) => new RashHost(life, network, world),
    }),
    caughtAs: ["snapshots stand for the log"],
  },
  {
    id: "careless-disk",
    breaks: "a wiped node that votes at once (P6)",
    parts: disk((...inputs) => new CarelessDisk(...inputs)),
    caughtAs: lostMemory,
  },
  {
    id: "regaining-forgotten",
    breaks: "a crash that makes a node forget what it has still to regain (P6)",
    parts: () => ({
      ...soundParts,
      // Crashes just then are rare by themselves.
      disk: (...inputs) => new FatalRegainDisk(...inputs),
      crash: (store, written) => {
        const found = soundParts.crash(store, written);
        if (found.origin.recovery !== null) {
          found.persist(
            { ...nothingPersisted, origin: { baseHeight: 0, recovery: null } },
            () => {},
          );
          found.flush();
        }
        return found;
      },
    }),
    caughtAs: lostMemory,
  },
  {
    id: "blind-bootstrap",
    breaks: "a wiped node that bootstraps blindly (P6)",
    parts: wire((message) =>
      message.kind === "requestPreVoteResponse" && message.standing !== undefined
        ? { ...withStanding(message, { memory: "whole", lastLogIndex: 1 }), term: 1 }
        : message,
    ),
    caughtAs: lostMemory,
  },
  {
    id: "disk-without-checksums",
    breaks: "a disk whose flipped bits nobody notices",
    parts: () => ({
      ...soundParts,
      crash: (store, written) => {
        const found = soundParts.crash(store, written);
        found.readDamagedAs(altered);
        return found;
      },
    }),
    caughtAs: ["logs match"],
  },
  {
    id: "deaf-host",
    breaks: "a host that misses a delivery",
    parts: () => ({
      ...soundParts,
      host: (life, network, world) => new DeafHost(life, network, world),
    }),
    caughtAs: ["no gap and no repeat"],
  },
  {
    id: "greedy-host",
    breaks: "a host that gives room back before it has any",
    parts: () => ({
      ...soundParts,
      host: (life, network, world) => new GreedyHost(life, network, world),
    }),
    caughtAs: ["bounded memory"],
  },
  {
    id: "lossy-host",
    breaks: "an executor that loses a write now and then",
    parts: () => ({
      ...soundParts,
      host: (life, network, world) => new LossyHost(life, network, world),
    }),
    caughtAs: ["histories are linearizable"],
  },
  {
    id: "lying-host",
    breaks: "a host that says lost for committed",
    parts: () => ({
      ...soundParts,
      host: (life, network, world) => new LyingHost(life, network, world),
    }),
    caughtAs: ["proposals are answered truly"],
  },
] as const satisfies readonly Omit<Mutation, "edits" | "seedsMax" | "wipesOnly" | "isWhole">[];

export const mutations: readonly Mutation[] = brokenParts.map((broken) => ({
  ...broken,
  edits: [],
  seedsMax,
  wipesOnly: false,
  isWhole: false,
}));

function disk(broken: Parts["disk"]): () => Parts {
  return () => ({ ...soundParts, disk: broken });
}

function wire(tamper: (message: Message) => Message): () => Parts {
  return () => ({ ...soundParts, wire: tamper });
}

function altered(entry: Entry): Entry {
  return entry.data === null ? entry : { ...entry, data: entry.data.slice() };
}

function endingLater(snapshot: Snapshot): Snapshot {
  const { term, index } = snapshot.last;
  return { ...snapshot, last: { term, index: index + 1 } };
}

const nothingPersisted: Persist = {
  sequence: 0,
  hardState: null,
  snapshot: null,
  truncateFrom: null,
  entries: [],
};

function withStanding(message: Message, change: Partial<Standing>): Message {
  if (message.kind !== "requestPreVoteResponse" || message.standing === undefined) return message;
  return { ...message, standing: { ...message.standing, ...change } };
}

class CarelessDisk extends SimulatedDisk {
  override persist(persist: Persist, done: PersistDone): void {
    const { origin, hardState } = persist;
    if (origin === undefined || hardState === null) return super.persist(persist, done);
    const { currentTerm } = hardState;
    super.persist(
      {
        ...persist,
        hardState: { currentTerm, votedFor: null },
        origin: { ...origin, recovery: null },
      },
      done,
    );
  }
}

/** Its node dies soon after it has learnt what it has to regain. */
class FatalRegainDisk extends SimulatedDisk {
  override persist(persist: Persist, done: PersistDone): void {
    super.persist(persist, done);
    const isToRegain = (persist.origin?.recovery ?? null) !== null;
    if (isToRegain) this.life.dieAtCall(10);
  }
}

class HastyDisk extends SimulatedDisk {
  override persist(persist: Persist, done: PersistDone): void {
    super.persist(persist, () => {});
    this.life.clock.soon(() => done(null));
  }
}

class StuckDisk extends SimulatedDisk {
  override persist(): void {}
}

class ForgetfulDisk extends SimulatedDisk {
  override compactThrough(_index: LogIndex, done: PersistDone): void {
    super.compactThrough(this.log.lastIndex, done);
  }
}

class PartialDisk extends SimulatedDisk {
  override saveSnapshot(snapshot: Snapshot, done: PersistDone): void {
    super.saveSnapshot({ ...snapshot, configurationIndex: 1 }, done);
  }
}

class RashHost extends SimulatedHost {
  override snapshotWanted(): void {
    if (!this.life.reach()) return;
    this.life.clock.soon(() => {
      this.life.driver?.snapshotTaken(stateSnapshot(this.applied, stateBytes));
    });
  }
}

class DeafHost extends SimulatedHost {
  override committed(entries: readonly Entry[], commitIndex: LogIndex): void {
    if (entries.some(({ index }) => index === 20)) return;
    super.committed(entries, commitIndex);
  }
}

class GreedyHost extends SimulatedHost {
  override committed(entries: readonly Entry[], commitIndex: LogIndex): void {
    super.committed(entries, commitIndex);
    const last = entries.at(-1);
    if (last !== undefined) this.life.driver?.applied(last.index);
  }
}

class LossyHost extends SimulatedHost {
  protected override execute(state: AppliedState, entry: Entry): AppliedState {
    const executed = super.execute(state, entry);
    return entry.index % 10 === 0 ? { ...executed, registers: state.registers } : executed;
  }
}

class LyingHost extends SimulatedHost {
  override proposal(...[proposalId, outcome]: Parameters<SimulatedHost["proposal"]>): void {
    const isLie = outcome.kind === "committed" && proposalId % 100 === 0;
    super.proposal(proposalId, isLie ? { kind: "lost" } : outcome);
  }
}
