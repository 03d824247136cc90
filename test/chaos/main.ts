/** `npm run chaos`: faults on real nodes, one after the other, under load; README.md says what it shows. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { diskFaultNames, type FaultName, faultNames, whyImpossible } from "./faults.ts";
import { describeReport } from "./report.ts";
import { type ChaosOptions, runChaos } from "./run.ts";

const usage = `npm run chaos -- [options]
  --cycles n        how many faults (default 10)
  --fault a,b       of: ${faultNames.join(", ")} (default: all of them, in turn);
                    disk: both of a disk's
  --nodes n         3 (default), 5 or 7
  --rtt ms          between any two nodes (default 0: loopback)
  --far ms          the round trip between the last node and all others
  --block-time ms   (default 100)
  --load n          transactions a second (default 50)
  --seed n          of what happens to whom and when (default: the time)
  --report file     writes all cycles there, as JSON
`;
const usageExitCode = 64;
/** Below npm, one Ctrl-C arrives twice: from the terminal and from npm. */
const sameRequestMs = 1_000;
const unavailableExitCode = 69;

function parseOptions(): (ChaosOptions & { readonly reportFile: string | null }) | null {
  const { values } = parseArgs({
    options: {
      cycles: { type: "string", default: "10" },
      fault: { type: "string", default: faultNames.join(",") },
      nodes: { type: "string", default: "3" },
      rtt: { type: "string", default: "0" },
      far: { type: "string" },
      "block-time": { type: "string", default: "100" },
      load: { type: "string", default: "50" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      report: { type: "string" },
    },
  });
  const words = values.fault.replace(/\bdisk\b(?<!-disk)/, diskFaultNames.join(",")).split(",");
  const faults = words.filter(isFault);
  const numbers = {
    cycles: Number(values.cycles),
    nodes: Number(values.nodes),
    rttMs: Number(values.rtt),
    farRttMs: Number(values.far ?? values.rtt),
    blockTimeMs: Number(values["block-time"]),
    txPerSecond: Number(values.load),
    seed: Number(values.seed),
  };
  const isSensible =
    faults.length === words.length &&
    Object.values(numbers).every((number) => Number.isFinite(number) && number >= 0) &&
    numbers.nodes >= 3;
  return isSensible ? { ...numbers, faults, reportFile: values.report ?? null } : null;
}

function isFault(text: string): text is FaultName {
  return faultNames.some((name) => name === text);
}

async function main(): Promise<number> {
  const options = parseOptions();
  if (options === null) {
    process.stderr.write(usage);
    return usageExitCode;
  }
  const enough = new AbortController();
  let askedMs = Number.POSITIVE_INFINITY;
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (!enough.signal.aborted) {
        askedMs = nowMs;
        enough.abort();
        process.stdout.write("this cycle is the last, then comes the audit; again to end now\n");
        return;
      }
      // Disks that are mounted go with this process.
      if (nowMs - askedMs > sameRequestMs) process.exit(1);
    });
  }
  const possible = options.faults.filter((fault) => {
    const reason = whyImpossible(fault);
    if (reason !== null) process.stdout.write(`without ${fault}: ${reason}\n`);
    return reason === null;
  });
  if (possible.length === 0) return unavailableExitCode;
  const directory = await mkdtemp(join(tmpdir(), "evm-chaos-"));
  const report = await runChaos({
    ...options,
    faults: possible,
    directory,
    enough: enough.signal,
    onNote: (text) => process.stdout.write(`${new Date().toISOString()} ${text}\n`),
  });
  process.stdout.write(`\n${describeReport(report)}`);
  if (options.reportFile !== null) {
    await writeFile(options.reportFile, `${JSON.stringify(report, null, 2)}\n`);
  }
  const isBad = report.violations.length > 0;
  if (isBad) process.stdout.write(`the nodes' homes are kept in ${directory}\n`);
  else await rm(directory, { recursive: true, force: true });
  return isBad ? 1 : 0;
}

process.exitCode = await main();
