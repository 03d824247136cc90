/**
 * What clients of whole nodes wrote and read, judged as if the cluster were a black box: transactions that write
 * registers, linearizable reads at any node, and stale ones, which may be of the past.
 */

import type { Checker } from "../checkers/checker.ts";
import { contradiction, type Moment, type Operation } from "../linearizability.ts";
import { Violation } from "../violation.ts";
import { registerCount } from "./execution-client.ts";

export class RegisterHistories implements Checker {
  readonly #operations: readonly Operation[][];
  /** Not known to be committed, by what they write. Numbers make them those of one register. */
  readonly #open = new Map<number, Operation>();
  readonly #begun = new Set<number>();
  #now: Moment = 0;

  constructor() {
    this.#operations = Array.from({ length: registerCount }, () => []);
  }

  /** Throws unless all that was seen up to now can be told of single registers. */
  judge(): void {
    for (const [register, ended] of this.#operations.entries()) {
      const open = [...this.#open.values()].filter(({ value }) => registerOf(value) === register);
      const problem = contradiction([...ended, ...open]);
      if (problem === null) continue;
      throw new Violation("histories are linearizable", `register ${register}: ${problem}`);
    }
  }

  /** What is sent again is the same write. */
  writeBegan(value: number, who: string): void {
    if (this.#begun.has(value)) return;
    this.#begun.add(value);
    const beganAt = ++this.#now;
    const endedAt = Number.POSITIVE_INFINITY;
    this.#open.set(value, { kind: "write", value, beganAt, endedAt, who });
  }

  /** A client was told that it is committed, perhaps not the first one. */
  writeEnded(value: number): void {
    const write = this.#open.get(value);
    this.#open.delete(value);
    if (write !== undefined) {
      this.#operations[registerOf(value)]?.push({ ...write, endedAt: ++this.#now });
    }
  }

  /** It will have no effect, as its only client was told. */
  writeRefused(value: number): void {
    this.#open.delete(value);
  }

  /** Returns when that was. */
  readBegan(): Moment {
    return ++this.#now;
  }

  readEnded(read: Pick<Operation, "value" | "beganAt" | "who">, register: number): void {
    this.#operations[register]?.push({ ...read, kind: "read", endedAt: ++this.#now });
  }
}

/** Which register is to hold a value. */
export function registerOf(value: number): number {
  return value % registerCount;
}
