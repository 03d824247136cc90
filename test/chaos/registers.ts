/**
 * Clients that write to a few keys and read them meanwhile, each through any node, and the judgement on what they
 * saw: it must be what single registers could have shown (linearizability), whatever was broken at the time.
 *
 * A key is used for some hundreds of operations, then another takes its place; once nobody uses it any more it is
 * judged and forgotten, so that memory stays bounded and the judgement fast.
 */

import { randomBytes } from "node:crypto";
import { z } from "zod";
import { sleep } from "../../src/base/task-group.ts";
import type { Dice } from "../simulation/dice.ts";
import { History, Moments } from "./history.ts";

export interface RegisterNode {
  readonly id: string;
  readonly rpcUrl: string;
  readonly isRunning: boolean;
}

export interface RegisterOptions {
  readonly nodes: readonly RegisterNode[];
  readonly dice: Dice;
  readonly onViolation: (text: string) => void;
  /** On one key. */
  readonly operationsMax?: number;
  /** Between two operations of one client, on average. */
  readonly pauseMs?: number;
}

/** All answered, but for the last. */
export interface RegisterCounts {
  readonly writes: number;
  readonly reads: number;
  readonly staleReads: number;
  /** Keys that were judged. */
  readonly keys: number;
  /** Writes that a node said it did not keep. */
  readonly refused: number;
  /** Writes of which nobody knows. */
  readonly unanswered: number;
}

interface Register {
  readonly key: string;
  readonly history: History;
  begun: number;
  underWay: number;
}

/** Keys in use at a time. */
const keyCount = 3;
const writerCount = 2;
const readerCount = 4;
const staleShare = 0.25;
/** Of an answer: what takes longer is as good as lost. */
const timeoutMs = 5_000;

const valueSchema = z.object({ value: z.string().regex(/^\d+$/) });
const committedSchema = z.object({ height: z.number() });
const notFoundSchema = z.object({ error: z.object({ code: z.literal("KEY_NOT_FOUND") }) });
const notKeptSchema = z.object({ error: z.object({ may_commit: z.literal(false) }) });

export class RegisterClients {
  readonly #options: RegisterOptions;
  readonly #prefix = `register-${randomBytes(3).toString("hex")}-`;
  readonly #moments = new Moments();
  readonly #registers: Register[];
  /** Full, with operations under way. */
  readonly #retired = new Set<Register>();
  readonly #counts = { writes: 0, reads: 0, staleReads: 0, keys: 0, refused: 0, unanswered: 0 };
  #made = 0;

  constructor(options: RegisterOptions) {
    this.#options = options;
    this.#registers = Array.from({ length: keyCount }, () => this.#newRegister());
  }

  get counts(): RegisterCounts {
    return this.#counts;
  }

  /** Operations that are remembered. */
  get size(): number {
    const registers = [...this.#registers, ...this.#retired];
    return registers.reduce((total, { history }) => total + history.size, 0);
  }

  /** Until `signal` aborts and what is under way has ended; then all is judged. */
  async run(signal: AbortSignal): Promise<void> {
    const clients = [
      ...Array.from({ length: writerCount }, () =>
        this.#client(signal, (...at) => this.#write(...at)),
      ),
      ...Array.from({ length: readerCount }, () =>
        this.#client(signal, (...at) => this.#read(...at)),
      ),
    ];
    await Promise.all(clients);
    for (const register of this.#registers) this.#judge(register);
  }

  async #client(
    signal: AbortSignal,
    operation: (register: Register, node: RegisterNode) => Promise<void>,
  ): Promise<void> {
    const { nodes, dice, pauseMs = 40 } = this.#options;
    while (!signal.aborted) {
      const node = dice.pickOrNull(nodes.filter(({ isRunning }) => isRunning));
      const register = this.#register();
      if (node !== null) {
        register.begun += 1;
        register.underWay += 1;
        await operation(register, node);
        register.underWay -= 1;
        if (register.underWay === 0 && this.#retired.delete(register)) this.#judge(register);
      }
      await sleep(dice.between(0, 2 * pauseMs), signal);
    }
  }

  /** Any that is in use; a full one is replaced. */
  #register(): Register {
    const { dice, operationsMax = 400 } = this.#options;
    const at = dice.integer(0, keyCount - 1);
    const register = this.#registers[at];
    if (register !== undefined && register.begun < operationsMax) return register;
    const next = this.#newRegister();
    this.#registers[at] = next;
    if (register !== undefined && register.underWay > 0) this.#retired.add(register);
    else if (register !== undefined) this.#judge(register);
    return next;
  }

  #newRegister(): Register {
    this.#made += 1;
    const key = `${this.#prefix}${this.#made}`;
    return { key, history: new History(this.#moments), begun: 0, underWay: 0 };
  }

  #judge({ key, history, begun }: Register): void {
    if (begun === 0) return;
    this.#counts.keys += 1;
    const problem = history.judge();
    if (problem === null) return;
    const zero = new Date(performance.timeOrigin).toISOString();
    this.#options.onViolation(`${key} is not one register: ${problem} (ms since ${zero})`);
  }

  /** Once, and never again: what became of one without an answer stays open. */
  async #write({ key, history }: Register, node: RegisterNode): Promise<void> {
    const write = history.writeBegins(`a client of ${node.id}`);
    const answer = await ask(`${node.rpcUrl}/tx?wait=commit`, {
      method: "POST",
      headers: {
        "idempotency-key": `${key}-${write.value}`,
        "content-type": "application/octet-stream",
      },
      body: `${key}=${write.value}`,
    });
    if (answer?.status === 200 && committedSchema.safeParse(answer.body).success) {
      this.#counts.writes += 1;
      history.writeEnded(write);
    } else if (notKeptSchema.safeParse(answer?.body).success) {
      this.#counts.refused += 1;
      history.writeRefused(write);
    } else {
      this.#counts.unanswered += 1;
      this.#mustPass(answer, `a write at ${node.id}`);
    }
  }

  async #read({ key, history }: Register, node: RegisterNode): Promise<void> {
    const isStale = this.#options.dice.chance(staleShare);
    const consistency = isStale ? "stale" : "linearizable";
    const read = history.readBegins(`a ${consistency} read at ${node.id}`, isStale);
    const answer = await ask(`${node.rpcUrl}/state/${key}?consistency=${consistency}`);
    const value = answer === null ? null : registerValue(answer);
    if (value === null) return this.#mustPass(answer, read.who);
    if (isStale) this.#counts.staleReads += 1;
    else this.#counts.reads += 1;
    history.readEnded(read, value);
  }

  /** None in time, or one that says "later": 408 is what a process that was stopped says. */
  #mustPass(answer: Answer | null, what: string): void {
    if (answer === null || answer.status >= 500 || [408, 429].includes(answer.status)) return;
    const { status, body } = answer;
    this.#options.onViolation(`${what} was answered ${status} ${JSON.stringify(body)}`);
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** null if there was none in time, or none that is whole. */
async function ask(url: string, request: RequestInit = {}): Promise<Answer | null> {
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(timeoutMs) });
    return { status: response.status, body: await response.json() };
  } catch (error) {
    // A process that was killed, stopped or starts: whether it did what was asked is not known.
    return wasRefused(error) ? notTaken : null;
  }
}

/** What a port that refuses would say. */
const notTaken: Answer = { status: 503, body: { error: { may_commit: false } } };

function wasRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null;
  return cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";
}

/** 0 before any write; null if it does not say. */
function registerValue({ status, body }: Answer): number | null {
  if (status === 404 && notFoundSchema.safeParse(body).success) return 0;
  const parsed = valueSchema.safeParse(body);
  return status === 200 && parsed.success ? Number(parsed.data.value) : null;
}
