/** A network between the members of a cluster that takes its time, in a process of its own (`main.ts`). */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { NetworkOptions, ToNetwork } from "./protocol.ts";

export class SlowNetwork {
  readonly #process: ChildProcess;

  /** No way is open yet. */
  constructor(options: NetworkOptions) {
    this.#process = fork(join(import.meta.dirname, "main.ts"), [JSON.stringify(options)]);
  }

  /** The process at port `to` listens. Resolves once it can be dialled. */
  async open(to: number): Promise<void> {
    const opened = once(this.#process, "message");
    this.#process.send({ kind: "open", to } satisfies ToNetwork);
    await opened;
  }

  /** The process there has ended: dialling it is refused. */
  close(to: number): void {
    this.#process.send({ kind: "close", to } satisfies ToNetwork);
  }

  async stop(): Promise<void> {
    const exited = once(this.#process, "exit");
    this.#process.disconnect();
    await exited;
  }
}
