/** A linearizable read sees the last acknowledged write, through any node and also while leaders change. */

import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { z } from "zod";
import type { LocalNode } from "../../src/devnet/local-node.ts";
import { auditChain } from "./harness/chain.ts";
import { endCleanly, kill, startCluster } from "./harness/cluster.ts";
import { report } from "./harness/distribution.ts";
import { failOver } from "./harness/failovers.ts";
import { sendTx } from "./harness/transactions.ts";

const valueSchema = z.object({ value: z.string() });

/** One register, one writer that counts up, and a reader at every node. */
class Register {
  readonly #nodes: readonly LocalNode[];
  #isOver = false;
  #sent = 0;
  #acknowledged = 0;
  reads = 0;
  refusals = 0;
  readonly stale: object[] = [];

  constructor(nodes: readonly LocalNode[]) {
    this.#nodes = nodes;
  }

  async run(until: Promise<unknown>): Promise<void> {
    const working = [this.#write(), ...this.#nodes.map((node) => this.#read(node))];
    try {
      await until;
    } finally {
      this.#isOver = true;
      await Promise.all(working);
    }
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      this.#sent++;
      while (!this.#isOver && !(await this.#send(this.#sent))) await delay(50);
    }
  }

  async #send(value: number): Promise<boolean> {
    const node = this.#nodes[value % this.#nodes.length];
    if (node === undefined) throw new Error("a register needs nodes");
    for (const next of [node, ...this.#nodes]) {
      const options = { key: `write-${value}`, timeoutMs: 3_000 };
      const answer = await sendTx(next, `register=${value}`, options);
      if (answer.kind !== "committed") continue;
      this.#acknowledged = value;
      return true;
    }
    return false;
  }

  async #read(node: LocalNode): Promise<void> {
    while (!this.#isOver) {
      const atLeast = this.#acknowledged;
      const answer = await node.get("/state/register?consistency=linearizable");
      if (answer?.status === 200) {
        const value = Number(valueSchema.parse(answer.body).value);
        const atMost = this.#sent;
        this.reads++;
        if (value < atLeast || value > atMost) {
          this.stale.push({ node: node.id, value, atLeast, atMost });
        }
      } else {
        this.refusals++;
        await delay(20);
      }
    }
  }
}

it("reads through followers what was acknowledged before, during failovers too", {
  timeout: 240_000,
}, async () => {
  const cluster = await startCluster({ settings: { "node.block_time": "50ms" } });
  const register = new Register(cluster.nodes);
  await register.run(failOver(cluster, 4, kill));
  report(`linearizable reads: ${register.reads}, and ${register.refusals} refused meanwhile`);
  expect(register.stale).toEqual([]);
  expect(register.reads).toBeGreaterThan(100);
  await auditChain(cluster);
  await endCleanly(cluster);
});
