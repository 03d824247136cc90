/**
 * Transcripts: inputs and what the loader says to them, in one readable file. `vitest -u` rewrites
 * the answers, and the diff is the review.
 *
 *   # why this case exists
 *   % VARIABLE=value
 *   $ --flag=value --flag value
 *   the: yaml
 *   ----
 *   what came of it
 *   ====
 */

export interface TranscriptCase {
  readonly story: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly yaml: string;
  /** The input as it stands in the file. */
  readonly input: string;
}

const endOfInput = "\n----\n";
const endOfCase = "\n====\n";

export function parseTranscript(text: string): readonly TranscriptCase[] {
  return text
    .split(endOfCase)
    .map((block) => block.split(endOfInput)[0] ?? "")
    .filter((input) => input.trim() !== "")
    .map(parseCase);
}

function parseCase(raw: string): TranscriptCase {
  const input = raw.replace(/^\n+/, "");
  const lines = input.split("\n");
  const startsWith = (mark: string) =>
    lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length));
  const isMarked = (line: string) => /^([#$%] )/.test(line);
  return {
    story: startsWith("# "),
    environment: Object.fromEntries(
      startsWith("% ").map((line) => [line.split("=")[0] ?? "", line.slice(line.indexOf("=") + 1)]),
    ),
    args: startsWith("$ ").flatMap((line) => line.split(" ")),
    yaml: `${lines.filter((line) => !isMarked(line)).join("\n")}\n`,
    input,
  };
}

export function formatTranscript(
  answers: readonly { readonly input: string; readonly answer: readonly string[] }[],
): string {
  return answers
    .map(({ input, answer }) => `${input}${endOfInput}${answer.join("\n")}${endOfCase}`)
    .join("\n");
}
