/** What a simulation is put together from; a mutation replaces one of them by a broken one. */

import type { Message } from "../../src/raft/message.ts";
import { SimulatedDisk } from "./disk.ts";
import { SimulatedHost } from "./host.ts";
import type { Life } from "./life.ts";
import type { LogImage } from "./log-image.ts";
import type { MemoryRaftStore } from "./memory-raft-store.ts";
import type { Network } from "./network.ts";
import type { World } from "./world.ts";

export interface Parts {
  disk(store: MemoryRaftStore, durable: LogImage, life: Life, world: World): SimulatedDisk;
  host(life: Life, network: Network, world: World): SimulatedHost;
  /** What is found after a crash for which `written` of the writes under way came in time. */
  crash(store: MemoryRaftStore, written: number): MemoryRaftStore;
  /** What arrives of a message. */
  wire(message: Message): Message;
}

export const soundParts: Parts = {
  disk: (store, durable, life, world) => new SimulatedDisk(store, durable, life, world),
  host: (life, network, world) => new SimulatedHost(life, network, world),
  crash: (store, written) => {
    store.flush(written);
    return store.crash();
  },
  wire: (message) => message,
};
