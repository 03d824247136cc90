/** What a simulation is put together from; a mutation replaces one of them by a broken one. */

import type { Message } from "../../src/raft/message.ts";
import type { Checker } from "./checkers/checker.ts";
import { Histories } from "./checkers/histories.ts";
import type { Leases } from "./checkers/leases.ts";
import type { Ledger } from "./checkers/ledger.ts";
import { Snapshots } from "./checkers/snapshots.ts";
import type { Cluster } from "./cluster.ts";
import { SimulatedDisk } from "./disk.ts";
import { SimulatedHost } from "./host.ts";
import type { Life } from "./life.ts";
import type { LogImage } from "./log-image.ts";
import type { MemoryRaftStore } from "./memory-raft-store.ts";
import type { Network } from "./network.ts";
import type { SimulatedNode } from "./node.ts";
import type { World } from "./world.ts";

/** What checkers of the executed state may look at. */
export interface Stage {
  readonly cluster: Cluster;
  readonly world: World;
  readonly ledger: Ledger;
  readonly leases: Leases;
}

export interface Ailment {
  begin(node: SimulatedNode): void;
  end(node: SimulatedNode): void;
}

export interface Parts {
  disk(store: MemoryRaftStore, durable: LogImage, life: Life, world: World): SimulatedDisk;
  host(life: Life, network: Network, world: World): SimulatedHost;
  /** What is found after a crash for which `written` of the writes under way came in time. */
  crash(store: MemoryRaftStore, written: number): MemoryRaftStore;
  /** What arrives of a message. */
  wire(message: Message): Message;
  /** Lets a process take in an event. */
  within(life: Life, world: World, event: () => void): void;
  /** What makes a node that runs unfit to lead, by its own judgement; null if it does not judge. */
  readonly ailment: Ailment | null;
  /** Whether a node has not got back what it had executed and was made to lose, beside its log. */
  lacksState(node: SimulatedNode): boolean;
  /** Those that know what hosts make of the log. */
  checkers(stage: Stage): readonly Checker[];
}

export const soundParts: Parts = {
  disk: (store, durable, life, world) => new SimulatedDisk(store, durable, life, world),
  host: (life, network, world) => new SimulatedHost(life, network, world),
  crash: (store, written) => {
    store.flush(written);
    return store.crash();
  },
  wire: (message) => message,
  within: (_life, _world, event) => event(),
  ailment: null,
  lacksState: () => false,
  checkers: ({ ledger, leases, world }) => [
    new Snapshots(ledger, { holdHashes: true }),
    new Histories(leases, world.dice.fork("registers")),
  ],
};
