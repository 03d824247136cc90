/** `npm run bench`: what this machine makes of a cluster of three. README.md says how to read it. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Comparison } from "./comparison.ts";
import type { Figure } from "./figure.ts";
import { describeMachine } from "./machine.ts";
import { compileOurs } from "./peers/ours.ts";
import { comparisonsOf, machineLine, type Report, tableOf, writeReport } from "./report.ts";
import {
  type Effort,
  type NetworkName,
  networkNames,
  type Section,
  type SectionContext,
} from "./section.ts";
import { blocksSection } from "./sections/blocks.ts";
import { catchUpSection } from "./sections/catch-up.ts";
import { coldStartSection } from "./sections/cold-start.ts";
import { costSection } from "./sections/cost.ts";
import { engineSection } from "./sections/engine.ts";
import { failoverSection } from "./sections/failover.ts";
import { floorSection } from "./sections/floor.ts";
import { latencySection } from "./sections/latency.ts";
import { logCatchUpSection } from "./sections/log-catch-up.ts";
import { peerSections } from "./sections/peers.ts";
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
  ...peerSections,
  restartSection,
];

const allSections = [...sections, ...moreSections];

const usage = `npm run bench -- [section ...] [options]
  section         of: ${sections.map(({ name }) => name).join(", ")} (these without any),
                  ${moreSections.map(({ name }) => name).join(", ")}
                  peers is all of ${peerSections.map(({ name }) => name).join(", ")}
  --only a,b      the same
  --seconds n     for each measurement of latency and throughput (default 4)
  --failovers n   kills, and hand-overs (default 20)
  --network name  between the members of peers: ${networkNames.join(" or ")} (default both)
  --smoke         as little as shows that everything works
  --dir path      where logs and report are written (default bench/results): the disk that is measured
  --profile path  writes V8 processor profiles of all members and their threads there
  --json          prints the report as JSON, and no table
`;

const thorough: Effort = {
  seconds: 4,
  warmUpCommits: 10_000,
  failovers: 20,
  coldStarts: 3,
  catchUpEntries: 20_000,
  chainBlocks: 1_000_000,
  engineBlocks: 30,
  floorSamples: 1000,
};
const smoke: Effort = {
  seconds: 0.15,
  warmUpCommits: 20,
  failovers: 1,
  coldStarts: 1,
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
  const { chosen, effort, networks, workDir, isJson, execArgv } = options;
  mkdirSync(workDir, { recursive: true });
  compileOurs();
  const machine = describeMachine(workDir);
  const notes: string[] = [];
  const comparisons: Comparison[] = [];
  const context: SectionContext = {
    workDir,
    effort,
    networks,
    execArgv,
    note: (text) => notes.includes(text) || notes.push(text),
    compared: (comparison) => comparisons.push(comparison),
  };
  const figures: Figure[] = [];
  const report: Report = {
    startedAt: new Date().toISOString(),
    machine,
    figures,
    comparisons,
    notes,
  };
  let path = "";
  if (!isJson) process.stdout.write(machineLine(machine));
  for (const section of chosen) {
    if (!isJson) process.stderr.write(`${section.name} ...\n`);
    const [figuresBefore, comparisonsBefore] = [figures.length, comparisons.length];
    figures.push(...(await section.run(context)));
    // A later section that fails takes nothing from this one.
    path = writeReport(report, workDir);
    if (isJson) continue;
    if (figures.length > figuresBefore) {
      process.stdout.write(tableOf(figures.slice(figuresBefore)));
    }
    if (comparisons.length > comparisonsBefore) {
      process.stdout.write(comparisonsOf(comparisons.slice(comparisonsBefore)));
    }
  }
  if (isJson) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(`${notes.map((n) => `${n}\n`).join("")}${path}\n`);
  return 0;
}

interface RunOptions {
  readonly chosen: readonly Section[];
  readonly effort: Effort;
  readonly networks: readonly NetworkName[];
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
        failovers: { type: "string" },
        network: { type: "string" },
        smoke: { type: "boolean", default: false },
        dir: { type: "string", default: join(import.meta.dirname, "results") },
        profile: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    const asked = [...(values.only?.split(",") ?? []), ...positionals];
    const names = (asked.length > 0 ? asked : sections.map(({ name }) => name)).flatMap((name) =>
      name === "peers" ? peerSections.map((section) => section.name) : [name],
    );
    const unknown = names.find((name) => allSections.every((section) => section.name !== name));
    if (unknown !== undefined) return `there is no section ${JSON.stringify(unknown)}`;
    const effort = values.smoke ? smoke : thorough;
    const seconds = values.seconds === undefined ? effort.seconds : Number(values.seconds);
    if (!(seconds > 0)) return `--seconds takes a number above zero, not ${values.seconds}`;
    const failovers = Number(values.failovers ?? effort.failovers);
    if (!(Number.isInteger(failovers) && failovers > 0)) {
      return `--failovers takes a whole number above zero, not ${values.failovers}`;
    }
    const networks = networkNames.filter((name) => name === (values.network ?? name));
    if (networks.length === 0) return `there is no network ${JSON.stringify(values.network)}`;
    return {
      chosen: allSections.filter(({ name }) => names.includes(name)),
      effort: { ...effort, seconds, failovers },
      networks,
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
