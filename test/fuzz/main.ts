/**
 * The fuzzer's command line.
 *
 *   npm run fuzz -- --inputs 1000000 --seed 3   so many inputs in all, shared out over the decoders
 *   npm run fuzz -- --seconds 300               until then
 *   npm run fuzz -- --decoder block-header      only this one
 *   npm run fuzz -- --decoder NAME --file PATH  one input, as a finding prints it
 *   npm run fuzz -- --list                      the decoders there are
 */

import { writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Finding, type Report, runCampaign } from "./campaign.ts";
import { readInput, writeCorpusFile } from "./corpus.ts";
import { Judge } from "./judge.ts";
import { targetNamed, targets } from "./targets.ts";
import { tasksOf } from "./tasks.ts";

const usage = `usage: npm run fuzz -- [--inputs N] [--seconds T] [--seed S] [--decoder NAME]...
       npm run fuzz -- --decoder NAME --file PATH
       npm run fuzz -- --list
`;

/** Much longer than any input takes on a machine that is busy with other things. */
const hangMs = 20_000;
const heapMaxMb = 512;
/** Inputs for all decoders together before it is the first one's turn again. */
const roundInputs = 200_000;

function print(line: string): void {
  writeSync(1, `${line}\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      inputs: { type: "string" },
      seconds: { type: "string" },
      seed: { type: "string", default: "1" },
      decoder: { type: "string", multiple: true, default: [] },
      file: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  if (values.list) {
    for (const { name } of targets) print(name);
    return 0;
  }
  const [only] = values.decoder;
  if (values.file !== undefined) {
    if (only === undefined) throw new TypeError("--file needs the decoder that it is for");
    return replay(only, values.file);
  }
  // Without either a moderate number; with one of them that one alone is the end.
  const seconds = values.seconds === undefined ? Number.POSITIVE_INFINITY : count(values.seconds);
  const inputs = values.seconds === undefined ? count("100000") : Number.POSITIVE_INFINITY;
  return run({
    inputs: values.inputs === undefined ? inputs : count(values.inputs),
    seconds,
    seed: count(values.seed),
    names: values.decoder,
  });
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new RangeError(`${text} is no count`);
}

async function replay(name: string, path: string): Promise<number> {
  const judge = await Judge.of(targetNamed(name));
  const verdict = await judge.judge(readInput(path));
  if (verdict.kind !== "problem") {
    print(`${path} is ${verdict.kind}`);
    return 0;
  }
  print(`${path}: ${verdict.problem.message}`);
  return 1;
}

interface Wish {
  readonly inputs: number;
  readonly seconds: number;
  readonly seed: number;
  readonly names: readonly string[];
}

/** In rounds over all decoders, so that each has had its share whenever it ends. */
async function run({ inputs, seconds, seed, names }: Wish): Promise<number> {
  let chosen = names.length === 0 ? targets : names.map(targetNamed);
  const sums = new Map<string, Report>();
  const endMs = performance.now() + seconds * 1000;
  let findings = 0;
  let judged = 0;
  for (let round = 0; chosen.length > 0 && judged < inputs && performance.now() < endMs; round++) {
    await runCampaign({
      targetsModule: new URL("targets.ts", import.meta.url).href,
      seed,
      tasks: tasksOf(chosen, Math.min(inputs, roundInputs), round),
      hangMs,
      heapMaxMb,
      onFinding: (finding) => {
        findings++;
        tellFinding(finding);
        const { kind } = finding.problem;
        const isFatal = kind === "hung" || kind === "died";
        if (isFatal) chosen = chosen.filter(({ name }) => name !== finding.target);
      },
      onReport: (report) => {
        judged += report.inputs;
        sums.set(report.target, sumOf(sums.get(report.target), report));
      },
    });
  }
  print("decoder                     inputs    taken   problems  inputs/s  memory   time");
  for (const report of sums.values()) print(lineOf(report));
  print(`${judged} inputs for ${sums.size} decoders with seed ${seed}, ${findings} findings`);
  return findings === 0 ? 0 : 1;
}

function sumOf(before: Report | undefined, report: Report): Report {
  if (before === undefined) return report;
  return {
    target: report.target,
    inputs: before.inputs + report.inputs,
    taken: before.taken + report.taken,
    refused: before.refused + report.refused,
    problems: before.problems + report.problems,
    seconds: before.seconds + report.seconds,
    mostUsed: {
      allocation: Math.max(before.mostUsed.allocation, report.mostUsed.allocation),
      time: Math.max(before.mostUsed.time, report.mostUsed.time),
    },
  };
}

function tellFinding({ target, number, problem, input }: Finding): void {
  const path = writeCorpusFile(target, input);
  print(`FOUND in ${target}, input ${number}: ${problem.message}`);
  print(`  replay: npm run fuzz -- --decoder ${target} --file ${path}`);
}

/** Memory and time: the most that an input took, of what it may. */
function lineOf({ target, inputs, taken, problems, seconds, mostUsed }: Report): string {
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`.padStart(7);
  return (
    target.padEnd(24) +
    String(inputs).padStart(10) +
    percent(taken / inputs).padStart(9) +
    String(problems).padStart(11) +
    (inputs / seconds).toFixed(0).padStart(10) +
    percent(mostUsed.allocation) +
    percent(mostUsed.time)
  );
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
  print(`${error.message}\n${usage}`);
  process.exitCode = 64;
}
