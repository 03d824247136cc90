/**
 * Transactions at a steady rate, as clients send them: each over HTTP to any running node, waiting for
 * its block, and sent again with the same Idempotency-Key until there is an answer.
 */

import { z } from "zod";
import { sleep } from "../base/task-group.ts";
import { LatencyHistogram } from "./latency.ts";
import type { LoadKeys } from "./load-keys.ts";
import type { LocalNode } from "./local-node.ts";

/** `key=value`, filled up to this. */
const txSizeBytes = 100;

/** Unanswered transactions; at the limit none is added, and the rate is not kept. */
const waitingMax = 5_000;

const tickMs = 10;

/** From a refusal, or a connection that broke, to the next attempt. */
const retryDelayMs = 50;

/** Longer than a node waits for a leader. */
const attemptTimeoutMs = 20_000;

const committedSchema = z.object({ height: z.number() });

/** What a load needs to know of a node: whether to ask it, and where. */
export type LoadTarget = Pick<LocalNode, "id" | "isRunning" | "rpcUrl">;

export interface LoadOptions {
  readonly txPerSecond: number;
  readonly keys: LoadKeys;
  readonly nodes: readonly LoadTarget[];
  readonly onAccepted: (sequence: number, height: number) => void;
  /** The first refusal that no repetition would mend. */
  readonly onRefused: (problem: string) => void;
}

type Attempt =
  | { readonly kind: "committed"; readonly height: number }
  | { readonly kind: "refused"; readonly reason: string }
  /** Whether it commits is not known, or it will with patience. */
  | { readonly kind: "again" };

/** Besides 5xx: a node that was stopped for seconds finds the requests that waited meanwhile too slow. */
const passingStatuses: ReadonlySet<number> = new Set([408, 429]);

export class Load {
  readonly latency = new LatencyHistogram();
  readonly #options: LoadOptions;
  readonly #giveUp = new AbortController();
  readonly #waiting = new Set<Promise<void>>();
  #sent = 0;
  #accepted = 0;
  #failed = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  get accepted(): number {
    return this.#accepted;
  }

  /** Refused, or unanswered when the run ended. */
  get failed(): number {
    return this.#failed;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Sends until `signal` aborts; those under way are awaited by `settle`. */
  async run(signal: AbortSignal): Promise<void> {
    const { txPerSecond } = this.#options;
    const startedMs = performance.now();
    let due = 0;
    while (!signal.aborted) {
      const wanted = Math.floor(((performance.now() - startedMs) / 1000) * txPerSecond);
      for (; due < wanted; due++) if (this.#waiting.size < waitingMax) this.#begin();
      await sleep(tickMs, signal);
    }
  }

  /** Waits for the answers that are still out; after `timeoutMs` they count as failed. */
  async settle(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#giveUp.abort(), timeoutMs);
    await Promise.all(this.#waiting);
    clearTimeout(timer);
  }

  #begin(): void {
    const sequence = this.#sent++;
    const waiting = this.#deliver(sequence).finally(() => this.#waiting.delete(waiting));
    this.#waiting.add(waiting);
  }

  async #deliver(sequence: number): Promise<void> {
    const startedMs = performance.now();
    const key = this.#options.keys.keyOf(sequence);
    const tx = `${key}=`.padEnd(txSizeBytes, "x");
    while (!this.#giveUp.signal.aborted) {
      const attempt = await this.#attempt(key, tx);
      if (attempt.kind === "committed") {
        this.latency.record(performance.now() - startedMs);
        this.#accepted += 1;
        this.#options.onAccepted(sequence, attempt.height);
        return;
      }
      if (attempt.kind === "refused") {
        if (this.#failed === 0) this.#options.onRefused(`transaction ${key}: ${attempt.reason}`);
        break;
      }
      await sleep(retryDelayMs, this.#giveUp.signal);
    }
    this.#failed += 1;
  }

  async #attempt(key: string, tx: string): Promise<Attempt> {
    const running = this.#options.nodes.filter((node) => node.isRunning);
    const node = running[Math.floor(Math.random() * running.length)];
    if (node === undefined) return { kind: "again" };
    try {
      const response = await fetch(`${node.rpcUrl}/tx?wait=commit`, {
        method: "POST",
        headers: { "idempotency-key": key, "content-type": "application/octet-stream" },
        body: tx,
        signal: AbortSignal.any([this.#giveUp.signal, AbortSignal.timeout(attemptTimeoutMs)]),
      });
      const text = await response.text();
      if (response.status === 200) {
        return { kind: "committed", height: committedSchema.parse(JSON.parse(text)).height };
      }
      // Any other refusal would be repeated for ever.
      const isFinal = response.status < 500 && !passingStatuses.has(response.status);
      return isFinal
        ? { kind: "refused", reason: `${response.status} ${text}` }
        : { kind: "again" };
    } catch (error) {
      if (error instanceof z.ZodError || error instanceof SyntaxError) {
        return { kind: "refused", reason: `${node.id} gave an answer without a height` };
      }
      // A node that is killed or not up yet: the next attempt asks another.
      return { kind: "again" };
    }
  }
}
