/** The network between the nodes: every pair of them has a way there and a way back. */

import type { Dice } from "../simulation/dice.ts";
import { Bottleneck } from "./bottleneck.ts";
import { Link, type Way } from "./link.ts";

/** A node, and where it really listens. */
export interface Endpoint {
  readonly id: string;
  readonly host: string;
  readonly port: number;
}

/** Of the delay: real networks are not even. */
const jitterShare = 0.1;

class Direction implements Way {
  isCut = false;
  readonly bottleneck = new Bottleneck();
  /** On top of the distance: what a fault adds. */
  extraMs = { low: 0, high: 0 };
  readonly #oneWayMs: number;
  readonly #dice: Dice;

  constructor(oneWayMs: number, dice: Dice) {
    this.#oneWayMs = oneWayMs;
    this.#dice = dice;
  }

  delayMs(): number {
    const distanceMs = this.#oneWayMs * this.#dice.between(1, 1 + jitterShare);
    return distanceMs + this.#dice.between(this.extraMs.low, this.extraMs.high);
  }
}

export class Links {
  /** By `from>to`: the machines' ways, which all connections between them share. */
  readonly #ways = new Map<string, Direction>();
  /** By the node that is dialled, and by the one that dials. */
  readonly #links = new Map<string, Map<string, Link>>();

  /** `rttMsOf` is the round trip between two nodes. */
  constructor(rttMsOf: (a: string, b: string) => number, ids: readonly string[], dice: Dice) {
    for (const from of ids) {
      for (const to of ids) {
        if (from === to) continue;
        this.#ways.set(`${from}>${to}`, new Direction(rttMsOf(from, to) / 2, dice));
      }
    }
  }

  /** Opens the way from one node to the Raft port of another. Returns the port where it is dialled. */
  async connect(from: string, to: Endpoint): Promise<number> {
    const link = new Link({
      host: to.host,
      targetPort: to.port,
      there: this.#way(from, to.id),
      back: this.#way(to.id, from),
    });
    const links = this.#links.get(to.id) ?? new Map<string, Link>();
    this.#links.set(to.id, links.set(from, link));
    await link.open();
    return link.port;
  }

  async nodeStarted(id: string): Promise<void> {
    for (const link of this.#linksTo(id)) await link.open();
  }

  nodeEnded(id: string): void {
    for (const link of this.#linksTo(id)) link.close();
  }

  /** Nothing passes from one to the other; the way back is another. */
  cut(from: string, to: string): void {
    this.#way(from, to).isCut = true;
  }

  /** Both ways between `id` and all others take so much longer, each packet another time. */
  slowDown(id: string, extraMs: { readonly low: number; readonly high: number }): void {
    for (const way of this.#waysOf(id)) way.extraMs = extraMs;
  }

  /** No more passes on each way between `id` and another, either way. */
  narrow(id: string, bytesPerMs: number): void {
    for (const way of this.#waysOf(id)) way.bottleneck.bytesPerMs = bytesPerMs;
  }

  /** Every connection between `id` and another ends with a reset; a new one can be opened at once. */
  reset(id: string): void {
    for (const [to, links] of this.#links) {
      for (const [from, link] of links) if (from === id || to === id) link.reset();
    }
  }

  mend(): void {
    for (const way of this.#ways.values()) {
      way.isCut = false;
      way.extraMs = { low: 0, high: 0 };
      way.bottleneck.bytesPerMs = Number.POSITIVE_INFINITY;
    }
  }

  #waysOf(id: string): readonly Direction[] {
    const isOf = (name: string) => name.startsWith(`${id}>`) || name.endsWith(`>${id}`);
    return [...this.#ways].filter(([name]) => isOf(name)).map(([, way]) => way);
  }

  #way(from: string, to: string): Direction {
    const way = this.#ways.get(`${from}>${to}`);
    if (way === undefined) throw new Error(`there is no way from ${from} to ${to}`);
    return way;
  }

  #linksTo(id: string): readonly Link[] {
    return [...(this.#links.get(id)?.values() ?? [])];
  }
}
