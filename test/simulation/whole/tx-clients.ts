/** Clients of whole nodes: they send transactions to any of them, and the same again where they got no answer. */

import type { SubmitOutcome } from "../../../src/block/submit.ts";
import { StorageError } from "../../../src/storage/errors.ts";
import type { Cluster } from "../cluster.ts";
import type { Dice } from "../dice.ts";
import type { SimulatedNode } from "../node.ts";
import type { World } from "../world.ts";
import { registerOf } from "./register-histories.ts";
import { SequencerHost } from "./sequencer-host.ts";
import type { Whole } from "./whole.ts";

/** Sent again later, also what was answered: it must stay one transaction. */
const remembered = 20;

export class TxClients {
  readonly #whole: Whole;
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #dice: Dice;
  readonly #recent: number[] = [];
  /** How often each was sent. */
  readonly #sent = new Map<number, number>();
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
    const value = isAgain ? this.#dice.pick(this.#recent) : ++this.#count;
    if (!isAgain) {
      this.#recent.push(value);
      if (this.#recent.length > remembered) this.#recent.shift();
    }
    const wait = this.#dice.chance(0.7) ? "commit" : "accept";
    const node = this.#cluster.anyUp(this.#dice);
    const host = node?.life?.host;
    if (node === null || !(host instanceof SequencerHost)) return;
    const { signal } = this.#patience(host);
    this.#sent.set(value, (this.#sent.get(value) ?? 0) + 1);
    host.run(() => {
      this.#world.transcript.note(node.id, () => `tx ${value}, wait=${wait}`);
      this.#whole.histories.writeBegan(value, `a client of ${node.id}`);
      const tx = new TextEncoder().encode(`r${registerOf(value)}=${value}`);
      host.submit({ tx, idempotencyKey: `tx ${value}`, wait, signal }).then(
        (outcome) => this.#answered(node, value, outcome),
        (error: unknown) => {
          // The client is told that this node cannot, and the node will end by it.
          if (host.store.hasFailed && error instanceof StorageError) return;
          this.#whole.guard(() => this.#whole.watch.failed(node, "submit", error));
        },
      );
    });
  }

  /** Some clients go away before they have an answer. */
  #patience(host: SequencerHost): AbortController {
    const { schedule, plan } = this.#world;
    const controller = new AbortController();
    if (this.#dice.chance(0.3)) {
      const afterMs = this.#dice.wait(plan.timeouts.heartbeatMs / 4);
      schedule.after(afterMs, () => host.run(() => controller.abort()));
    }
    return controller;
  }

  #answered(node: SimulatedNode, value: number, outcome: SubmitOutcome): void {
    this.#world.transcript.note(node.id, () => `tx ${value}: ${outcome.kind}`);
    const { watch, histories } = this.#whole;
    watch.count(`transaction ${outcome.kind}`);
    switch (outcome.kind) {
      case "accepted":
        return watch.accepted(node, outcome.txId);
      case "committed":
        histories.writeEnded(value);
        return this.#whole.guard(() => watch.acknowledged(node, outcome.txId, outcome.location));
      case "unavailable":
        if (!outcome.mayCommit) this.#refused(node, value, outcome.txId);
        return;
      default:
        return;
    }
  }

  /** What was sent twice may be on its way to a block from elsewhere; the rest is not sent again. */
  #refused(node: SimulatedNode, value: number, txId: Uint8Array): void {
    if (this.#sent.get(value) !== 1) return;
    const at = this.#recent.indexOf(value);
    if (at !== -1) this.#recent.splice(at, 1);
    this.#whole.histories.writeRefused(value);
    this.#whole.guard(() => this.#whole.watch.refused(node, txId));
  }
}
