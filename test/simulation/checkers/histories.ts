/**
 * What clients saw of the registers, judged as if the cluster were a black box: writes and confirmed reads,
 * reads under a lease where all that a lease assumes holds, and stale reads, which may be of the past.
 */

import type { ProposalOutcome } from "../../../src/consensus/driver.ts";
import type { ReadAnswer } from "../../../src/raft/ready.ts";
import type { LogIndex, ServerId } from "../../../src/raft/types.ts";
import { registerCount, registerOf } from "../applied-state.ts";
import type { Dice } from "../dice.ts";
import { contradiction, type Moment, type Operation } from "../linearizability.ts";
import type { SimulatedNode } from "../node.ts";
import type { CommandId } from "../payloads.ts";
import { Violation } from "../violation.ts";
import type { Checker } from "./checker.ts";
import type { Leases } from "./leases.ts";

interface OpenRead {
  readonly what: string;
  readonly register: number;
  readonly beganAt: Moment;
  /** It is answered from a state that has this entry; null while that is not known. */
  index: LogIndex | null;
}

export class Histories implements Checker {
  readonly #leases: Leases;
  readonly #dice: Dice;
  readonly #operations: readonly Operation[][];
  /** Not answered, perhaps never. */
  readonly #openWrites = new Map<CommandId, Operation>();
  /** Of each node's present life. */
  readonly #openReads = new Map<ServerId, Map<number | string, OpenRead>>();
  #now: Moment = 0;

  constructor(leases: Leases, dice: Dice) {
    this.#leases = leases;
    this.#dice = dice;
    this.#operations = Array.from({ length: registerCount }, () => []);
  }

  /** Throws unless all that was seen up to now can be told of single registers. */
  judge(): void {
    for (const [register, ended] of this.#operations.entries()) {
      const open = [...this.#openWrites].filter(([id]) => registerOf(id) === register);
      const problem = contradiction([...ended, ...open.map(([, write]) => write)]);
      if (problem === null) continue;
      throw new Violation("histories are linearizable", `register ${register}: ${problem}`);
    }
  }

  ended(node: SimulatedNode): void {
    this.#openReads.delete(node.id);
  }

  proposed(node: SimulatedNode, proposalId: CommandId): void {
    this.#openWrites.set(proposalId, {
      kind: "write",
      value: proposalId,
      beganAt: ++this.#now,
      endedAt: Number.POSITIVE_INFINITY,
      who: `a client of ${node.id}`,
    });
  }

  proposalAnswered(_node: SimulatedNode, proposalId: CommandId, outcome: ProposalOutcome): void {
    const write = this.#openWrites.get(proposalId);
    if (write === undefined || outcome.kind === "lost") return;
    this.#openWrites.delete(proposalId);
    if (outcome.kind !== "committed") return;
    this.#operations[registerOf(proposalId)]?.push({ ...write, endedAt: ++this.#now });
  }

  readBegan(node: SimulatedNode, readId: number): void {
    this.#begin(node, readId, "confirmed", null);
  }

  readAnswered(node: SimulatedNode, answer: ReadAnswer): void {
    const read = this.#readsOf(node).get(answer.readId);
    if (read === undefined) return;
    if (answer.kind === "confirmed") read.index = answer.readIndex;
    else this.#readsOf(node).delete(answer.readId);
  }

  localReadBegan(node: SimulatedNode, kind: "lease" | "stale"): void {
    const { status, life } = node;
    if (life === null || status === null) return;
    if (kind === "lease") {
      const isTrusted = status.role === "leader" && status.hasJoined && this.#leases.canTrust(node);
      if (isTrusted) this.#begin(node, `lease ${this.#now}`, kind, status.commitIndex);
      return;
    }
    const register = this.#anyRegister();
    const what = { what: kind, register, beganAt: Number.NEGATIVE_INFINITY, index: 0 };
    this.#end(node, what);
  }

  stepped(node: SimulatedNode): void {
    const reads = this.#openReads.get(node.id);
    const appliedIndex = node.life?.host.appliedIndex ?? 0;
    if (reads === undefined) return;
    for (const [id, read] of reads) {
      if (read.index === null || read.index > appliedIndex) continue;
      reads.delete(id);
      this.#end(node, read);
    }
  }

  #begin(node: SimulatedNode, id: number | string, what: string, index: LogIndex | null): void {
    const register = this.#anyRegister();
    this.#readsOf(node).set(id, { what, register, beganAt: ++this.#now, index });
  }

  #end({ id, life }: SimulatedNode, { what, register, beganAt }: OpenRead): void {
    const value = life?.host.applied.registers[register] ?? 0;
    const who = `a ${what} read at ${id}`;
    this.#operations[register]?.push({ kind: "read", value, beganAt, endedAt: ++this.#now, who });
  }

  #anyRegister(): number {
    return this.#dice.integer(0, registerCount - 1);
  }

  #readsOf({ id }: SimulatedNode): Map<number | string, OpenRead> {
    const reads = this.#openReads.get(id) ?? new Map<number | string, OpenRead>();
    this.#openReads.set(id, reads);
    return reads;
  }
}
