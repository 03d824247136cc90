/** Inputs that once showed a problem: one file each, in a folder named by the decoder. Tests run them all. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const folder = new URL("corpus/", import.meta.url);
const suffix = ".bin";

export interface CorpusFile {
  readonly target: string;
  readonly name: string;
  readonly input: Uint8Array;
}

export function readCorpus(): readonly CorpusFile[] {
  return readdirSync(folder).flatMap((target) =>
    readdirSync(new URL(`${target}/`, folder))
      .filter((name) => name.endsWith(suffix))
      .map((name) => ({ target, name, input: readInput(new URL(`${target}/${name}`, folder)) })),
  );
}

/** The file's path in the repository. */
export function writeCorpusFile(target: string, input: Uint8Array): string {
  const name = createHash("sha256").update(input).digest("hex").slice(0, 12) + suffix;
  const directory = new URL(`${target}/`, folder);
  if (!existsSync(directory)) mkdirSync(directory, { recursive: true });
  writeFileSync(new URL(name, directory), input);
  return `test/fuzz/corpus/${target}/${name}`;
}

export function readInput(path: string | URL): Uint8Array {
  return new Uint8Array(readFileSync(path));
}
