/** Clients of whole nodes that read the state of any of them: the newest, or whatever that node has. */

import type { ReadOutcome } from "../../../src/rpc/api.ts";
import type { Cluster } from "../cluster.ts";
import type { Dice } from "../dice.ts";
import type { SimulatedNode } from "../node.ts";
import type { World } from "../world.ts";
import { registerCount } from "./execution-client.ts";
import { SequencerHost } from "./sequencer-host.ts";
import type { Whole } from "./whole.ts";

export class StateClients {
  readonly #whole: Whole;
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #dice: Dice;

  constructor(whole: Whole, cluster: Cluster, world: World) {
    this.#whole = whole;
    this.#cluster = cluster;
    this.#world = world;
    this.#dice = world.dice.fork("state reads");
  }

  /** From here on. */
  begin(): void {
    const { schedule, plan } = this.#world;
    schedule.after(this.#dice.wait(plan.timeouts.heartbeatMs / 4), () => {
      this.#read();
      this.begin();
    });
  }

  #read(): void {
    const consistency = this.#dice.chance(0.75) ? "linearizable" : "stale";
    const register = this.#dice.integer(0, registerCount - 1);
    const node = this.#cluster.anyUp(this.#dice);
    const host = node?.life?.host;
    if (node === null || !(host instanceof SequencerHost)) return;
    const { histories } = this.#whole;
    const isStale = consistency === "stale";
    host.run(() => {
      const beganAt = isStale ? Number.NEGATIVE_INFINITY : histories.readBegan();
      host.readState(`r${register}`, consistency).then((outcome) => {
        const value = this.#answered(node, `${consistency} read of r${register}`, outcome);
        if (value === null) return;
        const who = `a ${consistency} read at ${node.id}`;
        histories.readEnded({ value, beganAt, who }, register);
      });
    });
  }

  /** What was read, 0 where nothing was written; null if nobody said. */
  #answered(node: SimulatedNode, what: string, outcome: ReadOutcome): number | null {
    this.#whole.watch.count(`state ${outcome.kind}`);
    if (outcome.kind !== "value") {
      this.#world.transcript.note(node.id, () => `${what}: ${outcome.kind}`);
      return null;
    }
    const { value, height } = outcome;
    const text = value === null ? "0" : new TextDecoder().decode(value);
    this.#world.transcript.note(node.id, () => `${what}: ${text} at height ${height}`);
    return Number(text);
  }
}
