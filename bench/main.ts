/** `npm run bench`: what this machine makes of a cluster of three. README.md says how to read it. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Figure } from "./figure.ts";
import { describeMachine } from "./machine.ts";
import { machineLine, type Report, tableOf, writeReport } from "./report.ts";
import type { Effort, Section, SectionContext } from "./section.ts";
import { blocksSection } from "./sections/blocks.ts";
import { catchUpSection } from "./sections/catch-up.ts";
import { coldStartSection } from "./sections/cold-start.ts";
import { costSection } from "./sections/cost.ts";
import { engineSection } from "./sections/engine.ts";
import { failoverSection } from "./sections/failover.ts";
import { floorSection } from "./sections/floor.ts";
import { latencySection } from "./sections/latency.ts";
import { logCatchUpSection } from "./sections/log-catch-up.ts";
import { peersSection } from "./sections/peers.ts";
import { restartSection } from "./sections/restart.ts";
import { throughputSection } from "./sections/throughput.ts";

const sections: readonly Section[] = [
  floorSection,
  latencySection,
  throughputSection,
  logCatchUpSection,
  costSection,
  coldStartSection,
  failoverSection,
  blocksSection,
];

/** Run when they are asked for: they take long, or need what not every machine has. */
const moreSections: readonly Section[] = [
  catchUpSection,
  engineSection,
  peersSection,
  restartSection,
];

const allSections = [...sections, ...moreSections];

const usage = `npm run bench -- [section ...] [options]
  section         of: ${sections.map(({ name }) => name).join(", ")} (these without any),
                  ${moreSections.map(({ name }) => name).join(", ")}
  --only a,b      the same
  --seconds n     for each measurement of latency and throughput (default 4)
  --smoke         as little as shows that everything works
  --dir path      where logs and report are written (default bench/results): the disk that is measured
  --profile path  writes V8 processor profiles of all members and their threads there
  --json          prints the report as JSON, and no table
`;

const thorough: Effort = {
  seconds: 4,
  failovers: 20,
  catchUpEntries: 20_000,
  chainBlocks: 1_000_000,
  engineBlocks: 30,
  floorSamples: 1000,
};
const smoke: Effort = {
  seconds: 0.15,
  failovers: 1,
  catchUpEntries: 200,
  chainBlocks: 2_000,
  engineBlocks: 2,
  floorSamples: 20,
};

const usageExitCode = 64;

async function main(): Promise<number> {
  const options = parseOptions();
  if (typeof options === "string") {
    process.stderr.write(`${options}\n\n${usage}`);
    return usageExitCode;
  }
  const { chosen, effort, workDir, isJson, execArgv } = options;
  mkdirSync(workDir, { recursive: true });
  const machine = describeMachine(workDir);
  const notes: string[] = [];
  const context: SectionContext = {
    workDir,
    effort,
    execArgv,
    note: (text) => notes.push(text),
  };
  const figures: Figure[] = [];
  const startedAt = new Date().toISOString();
  if (!isJson) process.stdout.write(machineLine(machine));
  for (const section of chosen) {
    if (!isJson) process.stderr.write(`${section.name} ...\n`);
    figures.push(...(await section.run(context)));
  }
  const report: Report = { startedAt, machine, figures, notes };
  const path = writeReport(report, workDir);
  if (isJson) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(`${tableOf(figures)}${notes.map((n) => `${n}\n`).join("")}${path}\n`);
  return 0;
}

interface RunOptions {
  readonly chosen: readonly Section[];
  readonly effort: Effort;
  readonly workDir: string;
  readonly isJson: boolean;
  readonly execArgv: readonly string[];
}

/** What is to be run; or what is wrong with the arguments. */
function parseOptions(): RunOptions | string {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        only: { type: "string" },
        seconds: { type: "string" },
        smoke: { type: "boolean", default: false },
        dir: { type: "string", default: join(import.meta.dirname, "results") },
        profile: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    const asked = [...(values.only?.split(",") ?? []), ...positionals];
    const names = asked.length > 0 ? asked : sections.map(({ name }) => name);
    const unknown = names.find((name) => allSections.every((section) => section.name !== name));
    if (unknown !== undefined) return `there is no section ${JSON.stringify(unknown)}`;
    const effort = values.smoke ? smoke : thorough;
    const seconds = values.seconds === undefined ? effort.seconds : Number(values.seconds);
    if (!(seconds > 0)) return `--seconds takes a number above zero, not ${values.seconds}`;
    return {
      chosen: allSections.filter(({ name }) => names.includes(name)),
      effort: { ...effort, seconds },
      workDir: values.dir,
      isJson: values.json,
      execArgv:
        values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`],
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

process.exitCode = await main();
