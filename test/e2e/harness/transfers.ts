/**
 * Wallets under way: transfers at a steady rate from many accounts, each sent by `eth_sendRawTransaction` to a
 * node taken at random, and to another one until some node has accepted it.
 */

import { setTimeout as delay } from "node:timers/promises";
import { keccak256, numberToHex, parseEther } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { exampleGenesis } from "../../geth/geth.ts";
import { describeDistribution } from "./distribution.ts";

const accountCount = 25;
const attemptTimeoutMs = 3_000;
const retryDelayMs = 100;
const tickMs = 5;

const accounts: readonly PrivateKeyAccount[] = Array.from({ length: accountCount }, (_, at) =>
  privateKeyToAccount(numberToHex(at + 1, { size: 32 })),
);

/** The example, in which all these accounts are rich. */
export const transfersGenesis: unknown = {
  ...exampleGenesis,
  alloc: {
    ...exampleGenesis.alloc,
    ...Object.fromEntries(
      accounts.map(({ address }) => [address, { balance: numberToHex(parseEther("1000000")) }]),
    ),
  },
};

const answerSchema = z.union([
  z.object({ result: z.string() }),
  z.object({ error: z.object({ code: z.number(), message: z.string() }) }),
]);

interface Wallet {
  readonly account: PrivateKeyAccount;
  nonce: number;
  isSending: boolean;
}

export class Transfers {
  /** Hashes, in the order of their acceptance. */
  readonly accepted: string[] = [];
  /** What nodes had against a transfer, with how often they said it; each was accepted in the end. */
  readonly refusals = new Map<string, number>();
  readonly #urls: readonly string[];
  readonly #perSecond: number;
  readonly #wallets: readonly Wallet[] = accounts.map((account) => ({
    account,
    nonce: 0,
    isSending: false,
  }));
  readonly #underWay = new Set<Promise<void>>();
  readonly #latenciesMs: number[] = [];
  readonly #stop = new AbortController();
  /** The test is over, whatever has become of them. */
  readonly #abandon = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(urls: readonly string[], perSecond = 50) {
    this.#urls = urls;
    this.#perSecond = perSecond;
  }

  start(): void {
    onTestFinished(() => {
      this.#stop.abort();
      this.#abandon.abort();
    });
    this.#running = this.#run();
  }

  /** Sends no more; resolves once all that was sent is accepted. The nonces that come next, by address. */
  async stop(): Promise<ReadonlyMap<`0x${string}`, number>> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#underWay);
    return new Map(this.#wallets.map(({ account, nonce }) => [account.address, nonce]));
  }

  describe(): string {
    const refusals = [...this.refusals].map(([reason, count]) => `${count} x ${reason}`).join("; ");
    const latency = describeDistribution(this.#latenciesMs);
    return `${this.accepted.length} transfers accepted, in ${latency}${refusals && ` (${refusals})`}`;
  }

  async #run(): Promise<void> {
    const startMs = performance.now();
    for (let sent = 0; !this.#stop.signal.aborted; await delay(tickMs)) {
      const due = Math.floor(((performance.now() - startMs) / 1000) * this.#perSecond);
      for (; sent < due; sent++) {
        const free = this.#wallets.filter(({ isSending }) => !isSending);
        const wallet = free[Math.floor(Math.random() * free.length)];
        // Where every one of them waits for a node, a second's worth is under way already.
        if (wallet === undefined) continue;
        const sending = this.#send(wallet).finally(() => this.#underWay.delete(sending));
        this.#underWay.add(sending);
      }
    }
  }

  async #send(wallet: Wallet): Promise<void> {
    wallet.isSending = true;
    const raw = await wallet.account.signTransaction({
      chainId: exampleGenesis.config.chainId,
      type: "eip1559",
      nonce: wallet.nonce,
      to: "0x1111111111111111111111111111111111111111",
      value: 1n,
      gas: 21_000n,
      maxFeePerGas: 10n ** 10n,
      maxPriorityFeePerGas: 10n ** 9n,
    });
    const hash = keccak256(raw);
    const startMs = performance.now();
    while (!this.#abandon.signal.aborted) {
      const url = this.#urls[Math.floor(Math.random() * this.#urls.length)] ?? "";
      const refusal = await this.#attempt(url, raw, hash);
      if (refusal === null) {
        this.#latenciesMs.push(performance.now() - startMs);
        this.accepted.push(hash);
        wallet.nonce++;
        break;
      }
      this.refusals.set(refusal, (this.refusals.get(refusal) ?? 0) + 1);
      await delay(retryDelayMs);
    }
    wallet.isSending = false;
  }

  /** null: accepted. */
  async #attempt(url: string, raw: string, hash: string): Promise<string | null> {
    let answer: z.infer<typeof answerSchema>;
    try {
      const call = { jsonrpc: "2.0", id: 1, method: "eth_sendRawTransaction", params: [raw] };
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(call),
        signal: AbortSignal.any([AbortSignal.timeout(attemptTimeoutMs), this.#abandon.signal]),
      });
      answer = answerSchema.parse(await response.json());
    } catch {
      // A process that is dead, stopped or starting does not answer: another is asked.
      return "no answer";
    }
    if ("error" in answer) return answer.error.message.replace(/0x\w+|\d+/g, "#");
    if (answer.result !== hash) throw new Error(`${answer.result} in answer to ${hash}`);
    return null;
  }
}
