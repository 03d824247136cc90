/** Throws of one seeded generator, in the shapes that a simulation needs. */

import { assert } from "../../src/base/assert.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";

export class Dice {
  readonly random: Random;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.random = seededRandom(seed);
  }

  /** Dice of their own for one part, so that a change of one part leaves the others' throws alone. */
  fork(name: string): Dice {
    let mixed = Math.imul(this.#seed ^ 0x9e3779b9, 0x85ebca6b);
    for (const letter of name) {
      mixed = Math.imul(mixed ^ (letter.codePointAt(0) ?? 0), 0x01000193);
    }
    return new Dice(mixed >>> 0);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.random();
  }

  /** Each order of magnitude is as likely as any other. */
  magnitude(low: number, high: number): number {
    return low * (high / low) ** this.random();
  }

  /** From `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor((high - low + 1) * this.random());
  }

  /** The time to the next event of a Poisson process; Infinity if there are none. */
  wait(meanMs: number): number {
    if (meanMs === Number.POSITIVE_INFINITY) return meanMs;
    return -Math.log(1 - this.random()) * meanMs;
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.random() * choices.length)];
    assert(choice !== undefined, "there is something to choose from");
    return choice;
  }

  pickOrNull<T>(choices: readonly T[]): T | null {
    return choices.length === 0 ? null : this.pick(choices);
  }

  shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, rank: this.random() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  }
}
