/** Clients of whole nodes: they send transactions to any of them, and the same again where they got no answer. */

import type { SubmitOutcome } from "../../../src/block/submit.ts";
import { StorageError } from "../../../src/storage/errors.ts";
import type { Cluster } from "../cluster.ts";
import type { Dice } from "../dice.ts";
import type { SimulatedNode } from "../node.ts";
import type { World } from "../world.ts";
import { SequencerHost } from "./sequencer-host.ts";
import type { Whole } from "./whole.ts";

/** Sent again later, also what was answered: it must stay one transaction. */
const remembered = 20;

export class TxClients {
  readonly #whole: Whole;
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #dice: Dice;
  readonly #recent: string[] = [];
  #count = 0;

  constructor(whole: Whole, cluster: Cluster, world: World) {
    this.#whole = whole;
    this.#cluster = cluster;
    this.#world = world;
    this.#dice = world.dice.fork("transactions");
  }

  /** From here on. */
  begin(): void {
    this.#next();
  }

  #next(): void {
    const { schedule, plan } = this.#world;
    schedule.after(this.#dice.wait(plan.timeouts.heartbeatMs / 4), () => {
      this.#send();
      this.#next();
    });
  }

  #send(): void {
    const isAgain = this.#recent.length > 0 && this.#dice.chance(0.4);
    const key = isAgain ? this.#dice.pick(this.#recent) : `tx ${++this.#count}`;
    if (!isAgain) {
      this.#recent.push(key);
      if (this.#recent.length > remembered) this.#recent.shift();
    }
    const wait = this.#dice.chance(0.7) ? "commit" : "accept";
    const node = this.#cluster.anyUp(this.#dice);
    const host = node?.life?.host;
    if (node === null || !(host instanceof SequencerHost)) return;
    host.run(() => {
      this.#world.transcript.note(node.id, () => `${key}, wait=${wait}`);
      const tx = new TextEncoder().encode(`${key}=1`);
      host.submit(key, tx, wait).then(
        (outcome) => this.#answered(node, key, outcome),
        (error: unknown) => {
          // The client is told that this node cannot, and the node will end by it.
          if (host.store.hasFailed && error instanceof StorageError) return;
          this.#whole.guard(() => this.#whole.watch.failed(node, "submit", error));
        },
      );
    });
  }

  #answered(node: SimulatedNode, key: string, outcome: SubmitOutcome): void {
    this.#world.transcript.note(node.id, () => `${key}: ${outcome.kind}`);
    this.#whole.watch.count(`transaction ${outcome.kind}`);
    const { watch } = this.#whole;
    if (outcome.kind === "accepted") watch.accepted(node, outcome.txId);
    if (outcome.kind !== "committed") return;
    this.#whole.guard(() => watch.acknowledged(node, outcome.txId, outcome.location));
  }
}
