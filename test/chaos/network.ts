/** The network between the nodes, which can be cut and slowed down: this run's end of its process. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { LocalNodePlace } from "../../src/devnet/local-node.ts";
import type { FromNetwork, NetworkOptions, ToNetwork } from "./network-protocol.ts";

export class Network {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #requests = new Map<number, PromiseWithResolvers<number | null>>();
  #requestId = 0;
  #failure: Error | null = null;

  constructor(options: NetworkOptions) {
    this.#process = fork(join(import.meta.dirname, "network-process.ts"), [
      JSON.stringify(options),
    ]);
    this.#exited = once(this.#process, "exit");
    this.#process.on("message", ({ requestId, port }: FromNetwork) => {
      this.#requests.get(requestId)?.resolve(port);
      this.#requests.delete(requestId);
    });
    this.#process.once("exit", (code, signal) => {
      this.#failure = new Error(`the network ended with ${code ?? signal}`);
      for (const { reject } of this.#requests.values()) reject(this.#failure);
    });
  }

  /** Where `from` finds the Raft port of `to`. */
  async addressOf(from: LocalNodePlace, to: LocalNodePlace): Promise<string> {
    const { id, host, raftPort: port } = to;
    const request = this.#request();
    this.#tell({ kind: "connect", requestId: request.id, from: from.id, to: { id, host, port } });
    return `${host}:${await request.answer}`;
  }

  async nodeStarted(id: string): Promise<void> {
    const request = this.#request();
    this.#tell({ kind: "nodeStarted", requestId: request.id, id });
    await request.answer;
  }

  nodeEnded(id: string): void {
    this.#tell({ kind: "nodeEnded", id });
  }

  /** Nothing passes from one to the other; the way back is another. */
  cut(from: string, to: string): void {
    this.#tell({ kind: "cut", from, to });
  }

  /** Both ways between `id` and all others take so much longer, each packet another time. */
  slowDown(id: string, extraMs: { readonly low: number; readonly high: number }): void {
    this.#tell({ kind: "slowDown", id, extraMs });
  }

  /** So many bytes pass in a millisecond on each way between `id` and another, either way. */
  narrow(id: string, bytesPerMs: number): void {
    this.#tell({ kind: "narrow", id, bytesPerMs });
  }

  /** Every connection between `id` and the others ends at once. */
  reset(id: string): void {
    this.#tell({ kind: "reset", id });
  }

  mend(): void {
    this.#tell({ kind: "mend" });
  }

  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await this.#exited;
  }

  #request(): { readonly id: number; readonly answer: Promise<number | null> } {
    const id = ++this.#requestId;
    const request = Promise.withResolvers<number | null>();
    if (this.#failure === null) this.#requests.set(id, request);
    else request.reject(this.#failure);
    return { id, answer: request.promise };
  }

  #tell(message: ToNetwork): void {
    // At the end of a run nodes end after their network.
    if (this.#process.connected) this.#process.send(message);
  }
}
