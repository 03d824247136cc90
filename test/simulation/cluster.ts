/** The nodes of one simulation and the network between them; restarts what dies, as systemd would. */

import { defined } from "../../src/base/assert.ts";
import { bootstrapEntry } from "../../src/raft/membership.ts";
import type { Persist } from "../../src/raft/ready.ts";
import type { ServerId } from "../../src/raft/types.ts";
import { nothingApplied } from "./applied-state.ts";
import type { Checker } from "./checkers/checker.ts";
import type { Dice } from "./dice.ts";
import { codec } from "./life.ts";
import { LogImage } from "./log-image.ts";
import { MemoryRaftStore } from "./memory-raft-store.ts";
import { Network } from "./network.ts";
import { SimulatedNode } from "./node.ts";
import type { Parts } from "./parts.ts";
import type { World } from "./world.ts";

export class Cluster implements Checker {
  readonly nodes: readonly SimulatedNode[];
  readonly network: Network;
  readonly #world: World;
  /** Down until told otherwise. */
  readonly #keptDown = new Set<SimulatedNode>();

  constructor(parts: Parts, world: World) {
    this.#world = world;
    this.network = new Network(world);
    const ids = Array.from({ length: world.plan.clusterSize }, (_, at) => `n${at + 1}`);
    this.nodes = ids.map((id) => this.#createNode(id, ids, parts));
  }

  start(): void {
    for (const node of this.nodes) this.#startLater(node);
  }

  /** A process that died comes back after a while. */
  ended(node: SimulatedNode): void {
    if (!this.#keptDown.has(node)) this.#startLater(node);
  }

  keepDown(node: SimulatedNode): void {
    this.#keptDown.add(node);
    node.crash("process");
  }

  /** Everyone may be up again; those that are down start. */
  release(): void {
    this.#keptDown.clear();
    for (const node of this.nodes) {
      node.recover();
      node.start();
    }
  }

  anyUp(dice: Dice): SimulatedNode | null {
    return dice.pickOrNull(this.nodes.filter((node) => node.isUp));
  }

  /** Those that last reported to lead. */
  leaders(): readonly SimulatedNode[] {
    return this.nodes.filter((node) => node.life?.host.report?.role === "leader");
  }

  /** The one that claims the highest term; null if none leads. */
  saidLeader(): SimulatedNode | null {
    let leader: SimulatedNode | null = null;
    for (const node of this.leaders()) {
      const isNewer = leader === null || termOf(node) > termOf(leader);
      if (isNewer) leader = node;
    }
    return leader;
  }

  #startLater(node: SimulatedNode): void {
    const { schedule, plan } = this.#world;
    const { low, high } = plan.faults.downMs;
    schedule.after(node.dice.between(low, high), () => {
      if (!this.#keptDown.has(node)) node.start();
    });
  }

  #createNode(id: ServerId, ids: readonly ServerId[], parts: Parts): SimulatedNode {
    const { plan } = this.#world;
    const bootstrap: Persist = {
      sequence: 0,
      hardState: { currentTerm: 1, votedFor: null },
      snapshot: null,
      truncateFrom: null,
      entries: [bootstrapEntry(ids, codec)],
    };
    const store = new MemoryRaftStore(new Uint8Array(16));
    const durable = new LogImage();
    if (!plan.beginsEmpty) {
      store.persist(bootstrap, () => {});
      store.flush();
      durable.apply(bootstrap);
    }
    const clock = this.#world.dice.fork(`clock of ${id}`);
    const clockRate = 1 + clock.between(-plan.clockDrift, plan.clockDrift);
    const stored = { store, durable, saved: nothingApplied };
    return new SimulatedNode(
      { id, voters: ids, clockRate },
      stored,
      this.network,
      parts,
      this.#world,
    );
  }
}

function termOf(node: SimulatedNode): number {
  return defined(node.life?.host.report, "a leader has reported").term;
}
