/**
 * A client under load: transactions at a steady rate, over connections that are kept, to all nodes
 * in turn. Each is sent again, with the same Idempotency-Key and to the next node, until one answers
 * with its block. What was answered is kept: that is what the cluster has promised (P7).
 */

import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished } from "vitest";
import type { LocalNode } from "../../../src/devnet/local-node.ts";
import { describeDistribution } from "./distribution.ts";
import { sendTx } from "./transactions.ts";

export interface Acknowledged {
  readonly tx: string;
  readonly key: string;
  readonly height: number;
  readonly index: number;
  readonly attempts: number;
  /** From the first attempt to the answer. */
  readonly latencyMs: number;
}

export interface LoadOptions {
  readonly txPerSecond?: number;
  readonly txBytes?: number;
  /** Of its transactions: two loads on one chain must differ in them. */
  readonly name?: string;
}

/** A stopped process accepts connections and answers nothing: then the next node is asked. */
const attemptTimeoutMs = 3_000;
const retryDelayMs = 50;
const tickMs = 5;
/** A second's worth: a cluster that stands still for longer is not buried under what piled up. */
const inFlightMax = 200;

export class Load {
  readonly acknowledged: Acknowledged[] = [];
  readonly #nodes: readonly LocalNode[];
  readonly #txPerSecond: number;
  readonly #txBytes: number;
  readonly #name: string;
  readonly #inFlight = new Set<Promise<void>>();
  #sent = 0;
  /** Were due, and were not sent: too many waited for their answers. */
  #skipped = 0;
  /** Nothing new is sent. */
  readonly #stop = new AbortController();
  /** What was sent is given up: the test is over. */
  readonly #abandon = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(
    nodes: readonly LocalNode[],
    { txPerSecond = 200, txBytes = 100, name = "load" }: LoadOptions = {},
  ) {
    this.#nodes = nodes;
    this.#txPerSecond = txPerSecond;
    this.#txBytes = txBytes;
    this.#name = name;
  }

  start(): void {
    onTestFinished(() => {
      this.#stop.abort();
      this.#abandon.abort();
    });
    this.#running = this.#run(this.#stop.signal);
  }

  /** Sends nothing new, and resolves once all that was sent is answered. */
  async stop(): Promise<readonly Acknowledged[]> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#inFlight);
    return this.acknowledged;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Sent, or left out because too many waited. */
  get due(): number {
    return this.#sent + this.#skipped;
  }

  /** One line for the report of a test. */
  describe(): string {
    const latencies = this.acknowledged.map(({ latencyMs }) => latencyMs);
    const repeated = this.acknowledged.filter(({ attempts }) => attempts > 1).length;
    const sent = `${this.acknowledged.length} of ${this.#sent} transactions acknowledged, ${repeated} after repeats`;
    const asked = `${this.#txPerSecond} a second, ${this.#skipped} skipped while ${inFlightMax} waited`;
    return `${sent}; ${asked}; latency ${describeDistribution(latencies)}`;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const startMs = performance.now();
    for (; !signal.aborted; await delay(tickMs)) {
      const elapsedSeconds = (performance.now() - startMs) / 1000;
      const due = Math.floor(elapsedSeconds * this.#txPerSecond) - this.#skipped - this.#sent;
      const room = inFlightMax - this.#inFlight.size;
      const count = Math.min(due, room);
      this.#skipped += due - count;
      for (let nth = 0; nth < count; nth++) this.#spawn(this.#sent++);
    }
  }

  #spawn(nth: number): void {
    const sending = this.#send(nth).finally(() => this.#inFlight.delete(sending));
    this.#inFlight.add(sending);
  }

  async #send(nth: number): Promise<void> {
    const key = `${this.#name}-${nth}`;
    const tx = `${key}=`.padEnd(this.#txBytes, ".");
    const startMs = performance.now();
    for (let attempts = 1; !this.#abandon.signal.aborted; attempts++) {
      const node = this.#nodes[(nth + attempts) % this.#nodes.length];
      if (node === undefined) throw new Error("a load needs nodes");
      const answer = await sendTx(node, tx, { key, timeoutMs: attemptTimeoutMs });
      if (answer.kind === "committed") {
        const { height, index } = answer;
        const latencyMs = performance.now() - startMs;
        this.acknowledged.push({ tx, key, height, index, attempts, latencyMs });
        return;
      }
      await delay(retryDelayMs);
    }
  }
}

/** There was a load, `shareMin` of what was due at least, and all of it was answered. */
export function expectLoad({ acknowledged, sent, due }: Load, shareMin = 0.75): void {
  expect(sent, "transactions sent").toBeGreaterThan(shareMin * due);
  expect(acknowledged, "transactions acknowledged").toHaveLength(sent);
}
