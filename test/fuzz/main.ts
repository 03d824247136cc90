/**
 * The fuzzer's command line.
 *
 *   npm run fuzz -- --inputs 1000000 --seed 3   so many inputs in all, shared out over the decoders
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

const usage = `usage: npm run fuzz -- [--inputs N] [--seed S] [--decoder NAME]...
       npm run fuzz -- --decoder NAME --file PATH
       npm run fuzz -- --list
`;

/** Much longer than any input takes on a machine that is busy with other things. */
const hangMs = 20_000;
const heapMaxMb = 512;

function print(line: string): void {
  writeSync(1, `${line}\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      inputs: { type: "string", default: "100000" },
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
  return run(count(values.inputs), count(values.seed), values.decoder);
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

async function run(inputs: number, seed: number, names: readonly string[]): Promise<number> {
  const chosen = names.length === 0 ? targets : names.map(targetNamed);
  const reports: Report[] = [];
  let findings = 0;
  print("decoder                     inputs    taken   problems  inputs/s  memory   time");
  await runCampaign({
    targetsModule: new URL("targets.ts", import.meta.url).href,
    seed,
    tasks: tasksOf(chosen, inputs),
    hangMs,
    heapMaxMb,
    onFinding: (finding) => {
      findings++;
      tellFinding(finding);
    },
    onReport: (report) => {
      reports.push(report);
      print(lineOf(report));
    },
  });
  const judged = reports.reduce((sum, report) => sum + report.inputs, 0);
  print(`${judged} inputs for ${reports.length} decoders with seed ${seed}, ${findings} findings`);
  return findings === 0 ? 0 : 1;
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
