/** What the loader says to good and bad input, word for word. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readFlags } from "../../src/config/flag-source.ts";
import { problemLines } from "./load-text.ts";
import { formatTranscript, parseTranscript, type TranscriptCase } from "./transcript.ts";

describe("transcripts", () => {
  it.each(["yaml.txt", "rules.txt", "command-line.txt"])("%s", async (name) => {
    const path = join(import.meta.dirname, "transcripts", name);
    const cases = parseTranscript(readFileSync(path, "utf8"));
    const answers = cases.map((one) => ({ input: one.input, answer: answer(one) }));
    await expect(formatTranscript(answers)).toMatchFileSnapshot(path);
  });
});

function answer({ yaml, args, environment }: TranscriptCase): readonly string[] {
  const usage = readFlags(args).usageProblems.map((problem) => `usage: ${problem}`);
  return [...usage, ...problemLines({ yaml, args, environment })];
}
