/** Gives an input to a decoder, and says what is wrong with what becomes of it: result, memory, time. */

import { getHeapStatistics } from "node:v8";
import type { Outcome, Target } from "./target.ts";

export interface Problem {
  readonly kind: "threw" | "allocated" | "slow" | "hung" | "died";
  /** Alike for inputs that show the same thing. */
  readonly signature: string;
  readonly message: string;
}

export type Verdict =
  | { readonly kind: Outcome }
  | { readonly kind: "problem"; readonly problem: Problem };

/** What one input may allocate: so much, and for each of its bytes so much more. */
const allocationMaxBytes = 1024 * 1024;
const allocationMaxPerByte = 4 * 1024;

/** An input that takes so many times as long as one of its size that is taken. */
const slownessMax = 100;
/** Length counts as if so many bytes came before: a call has a cost of its own. */
const callBytes = 64;

/** Garbage made before a run, so that its collection within the run shows: a little before each, and much where in doubt. */
const ballastBytes = { always: 16 * 1024, inDoubt: 256 * 1024 };

/** A collection of garbage, or another process, makes some runs slow; it does not do it every time. */
const repetitions = { memory: 5, time: 50 };
/** The last repetition begins before this. */
const repeatedForMs = 1_000;

export class Judge {
  readonly #target: Target;
  /** Milliseconds a byte, of the slowest of the inputs that are taken. */
  readonly #pace: number;
  /** The most of either limit that an input came to. */
  readonly mostUsed = { allocation: 0, time: 0 };

  private constructor(target: Target, pace: number) {
    this.#target = target;
    this.#pace = pace;
  }

  /** Throws if a seed is not taken: a fuzzer that begins with rubbish tries nothing. */
  static async of(target: Target): Promise<Judge> {
    let pace = 0;
    const { seeds, refused = [] } = target;
    for (const [at, seed] of [...seeds, ...refused].entries()) {
      const outcome = await target.check(seed);
      const expected = at < seeds.length ? "taken" : "refused";
      if (outcome !== expected) throw new Error(`${target.name}: input ${at} is ${outcome}`);
      const fastestMs = await least(repetitions.memory, async () => {
        return (await measured(target, seed)).ms;
      });
      pace = Math.max(pace, fastestMs / (seed.length + callBytes));
    }
    return new Judge(target, pace);
  }

  async judge(input: Uint8Array): Promise<Verdict> {
    const first = await measured(this.#target, input);
    if (first.verdict.kind === "problem") return first.verdict;
    return (
      (await this.#overAllocated(input, first.bytes)) ??
      (await this.#slow(input, first.ms)) ??
      first.verdict
    );
  }

  async #overAllocated(input: Uint8Array, bytes: number): Promise<Verdict | null> {
    const base = this.#target.allocationMaxBytes ?? allocationMaxBytes;
    const limit = base + input.length * allocationMaxPerByte;
    if (bytes >= 0 && bytes <= limit) {
      this.mostUsed.allocation = Math.max(this.mostUsed.allocation, bytes / limit);
      return null;
    }
    // Less memory than before: garbage was collected meanwhile, perhaps what this very input made.
    const excess = async () => {
      const again = await measured(this.#target, input, ballastBytes.inDoubt);
      return again.bytes < 0 ? Number.POSITIVE_INFINITY : again.bytes;
    };
    const again = await least(repetitions.memory, excess);
    if (again <= limit) return null;
    const message = Number.isFinite(again)
      ? `allocated ${again} bytes for ${input.length}; ${limit} are allowed`
      : "sets off a collection of garbage, however often it is read";
    return { kind: "problem", problem: { kind: "allocated", signature: "allocated", message } };
  }

  async #slow(input: Uint8Array, ms: number): Promise<Verdict | null> {
    const paceMs = this.#pace * (input.length + callBytes);
    if (ms <= paceMs * slownessMax) {
      this.mostUsed.time = Math.max(this.mostUsed.time, ms / (paceMs * slownessMax));
      return null;
    }
    const again = await least(repetitions.time, async () => {
      return (await measured(this.#target, input)).ms;
    });
    if (again <= paceMs * slownessMax) return null;
    const message = `took ${again.toFixed(1)} ms for ${input.length} bytes, ${Math.round(again / paceMs)} times as long as an input that is taken`;
    return { kind: "problem", problem: { kind: "slow", signature: "slow", message } };
  }
}

async function least(times: number, measure: () => Promise<number>): Promise<number> {
  const endMs = performance.now() + repeatedForMs;
  let lowest = Number.POSITIVE_INFINITY;
  for (let nth = 0; nth < times && (nth < 3 || performance.now() < endMs); nth++) {
    lowest = Math.min(lowest, await measure());
  }
  return lowest;
}

interface Measured {
  readonly verdict: Verdict;
  readonly ms: number;
  /** Allocated, and not yet collected. */
  readonly bytes: number;
}

async function measured(
  target: Target,
  input: Uint8Array,
  ballast: number = ballastBytes.always,
): Promise<Measured> {
  makeGarbage(ballast);
  const before = heldBytes();
  const beganMs = performance.now();
  const verdict = await verdictOf(target, input);
  const ms = performance.now() - beganMs;
  return { verdict, ms, bytes: heldBytes() - before };
}

async function verdictOf(target: Target, input: Uint8Array): Promise<Verdict> {
  try {
    const outcome = target.check(input);
    return { kind: outcome instanceof Promise ? await outcome : outcome };
  } catch (error) {
    return { kind: "problem", problem: problemOf(error) };
  }
}

function makeGarbage(bytes: number): void {
  const slots = 1024;
  for (let made = 0; made < bytes; made += slots * 8) new Array(slots).fill(made);
}

function heldBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

function problemOf(error: unknown): Problem {
  if (!(error instanceof Error)) {
    return { kind: "threw", signature: "threw no error", message: `threw ${String(error)}` };
  }
  const [place = ""] = (error.stack ?? "")
    .split("\n")
    .filter((line) => /\bat .*\/src\//.test(line));
  // Numbers and quoted texts are the input's own.
  const words = error.message.replace(/"[^"]*"|\d+/g, "_").slice(0, 60);
  const signature = `${error.name} ${words} ${place.trim()}`;
  return { kind: "threw", signature, message: `${error.name}: ${error.message}` };
}
