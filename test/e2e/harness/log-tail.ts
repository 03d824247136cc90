/** What a node logs from now on. */

import { readFileSync, statSync } from "node:fs";
import type { LocalNode } from "../../../src/devnet/local-node.ts";

export class LogTail {
  readonly #file: string;
  readonly #fromByte: number;

  constructor({ logFile }: LocalNode) {
    this.#file = logFile;
    this.#fromByte = statSync(logFile).size;
  }

  /** How many lines there are that match. */
  count(words: RegExp): number {
    return this.#lines(words).length;
  }

  /** The time of the first line that matches; null without one. */
  firstAtMs(words: RegExp): number | null {
    const [line = null] = this.#lines(words);
    return line === null ? null : Date.parse(line.slice(0, line.indexOf(" ")));
  }

  has(words: RegExp): boolean {
    return this.count(words) > 0;
  }

  #lines(words: RegExp): string[] {
    const text = readFileSync(this.#file).subarray(this.#fromByte).toString();
    return text.split("\n").filter((line) => words.test(line));
  }
}
