/** A member process as the benchmark holds it: start, ask, wait for what it tells, kill. */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { monotonicMs } from "../../src/consensus/shared-lease.ts";
import type {
  FromMember,
  LightLoad,
  Load,
  LoadResult,
  MemberOptions,
  Question,
  ToMember,
  Usage,
} from "./protocol.ts";

/** No wait of the benchmark is longer: it fails instead of hanging. */
const patienceMs = 60_000;

type Told = FromMember & { readonly memberId: string };

/** Starts a member's process, with an IPC channel for what `protocol.ts` says. */
export type Launch = (options: MemberOptions) => ChildProcess;

export class MemberProcess {
  readonly options: MemberOptions;
  readonly #launch: Launch;
  readonly #onTold: (message: Told) => void;
  readonly #answers = new Map<number, PromiseWithResolvers<LoadResult | Usage | null>>();
  #nextId = 0;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();

  constructor(
    options: MemberOptions,
    dependencies: {
      readonly launch: Launch;
      readonly onTold: (message: Told) => void;
    },
  ) {
    this.options = options;
    this.#launch = dependencies.launch;
    this.#onTold = dependencies.onTold;
  }

  get id(): string {
    return this.options.id;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.id} does not run`);
    return pid;
  }

  start(): void {
    const child = this.#launch(this.options);
    this.#child = child;
    child.on("message", (message: FromMember) => this.#take(message));
    // Its end may be heard of before the last that it said: an answer to `stop` comes just before.
    this.#exited = Promise.all([once(child, "exit"), once(child, "disconnect")]).then(() => {
      for (const { reject } of this.#answers.values()) {
        reject(new Error(`${this.id} ended before it answered`));
      }
      this.#answers.clear();
    });
  }

  /** Sends a signal; resolves, once the process has ended, with when it was sent. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<number> {
    const sentAtMs = monotonicMs();
    this.#child?.kill(signal);
    await this.#exited;
    return sentAtMs;
  }

  async load(load: Load): Promise<LoadResult> {
    const result = await this.#ask({ kind: "load", ...load });
    if (result === null || !("latenciesMs" in result)) throw new Error("no result of a load");
    return result;
  }

  async usage(): Promise<Usage> {
    const result = await this.#ask({ kind: "usage" });
    if (result === null || !("cpuSeconds" in result)) throw new Error("no usage");
    return result;
  }

  async keepProposing(load: LightLoad): Promise<void> {
    await this.#ask({ kind: "keepProposing", ...load });
  }

  async rest(): Promise<void> {
    await this.#ask({ kind: "rest" });
  }

  async stop(): Promise<void> {
    if (this.#child === null || this.#child.exitCode !== null || this.#child.killed) return;
    await this.#ask({ kind: "stop" });
    await this.#exited;
  }

  #ask(question: Question): Promise<LoadResult | Usage | null> {
    const requestId = ++this.#nextId;
    const answer = Promise.withResolvers<LoadResult | Usage | null>();
    this.#answers.set(requestId, answer);
    this.#child?.send({ ...question, requestId } satisfies ToMember);
    const timer = setTimeout(
      () => answer.reject(new Error(`${this.id} did not answer within ${patienceMs} ms`)),
      patienceMs,
    );
    return answer.promise.finally(() => clearTimeout(timer));
  }

  #take(message: FromMember): void {
    if (message.kind === "failed") throw new Error(`${this.id}: ${message.message}`);
    if (message.kind === "answer") {
      this.#answers.get(message.requestId)?.resolve(message.result);
      this.#answers.delete(message.requestId);
      return;
    }
    this.#onTold({ ...message, memberId: this.id });
  }
}
