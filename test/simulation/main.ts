/**
 * The simulator's command line.
 *
 *   npm run simulate -- --seed 4711            replays one seed, with every event
 *   npm run simulate -- --seeds 1000 --from 1  runs many, and prints how to replay those that fail;
 *                                              with --wipes only such as are to wipe disks
 */

import { writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { runSeeds, type SeedRange } from "./seeds.ts";
import { simulate } from "./simulation.ts";

const usage = `usage: npm run simulate -- --seed N
       npm run simulate -- --seeds COUNT [--from N] [--workers W] [--wipes] [--coverage]
`;

type Wish =
  | { readonly kind: "replay"; readonly seed: number }
  | (SeedRange & { readonly kind: "many"; readonly showsCoverage: boolean });

function print(line: string): void {
  writeSync(1, `${line}\n`);
}

/** What the command line asks for; null if it makes no sense. */
function readArguments(): Wish | null {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: "string" },
        seeds: { type: "string" },
        from: { type: "string", default: "1" },
        workers: { type: "string", default: "1" },
        wipes: { type: "boolean", default: false },
        coverage: { type: "boolean", default: false },
      },
    });
    if (values.seed !== undefined) return { kind: "replay", seed: count(values.seed) };
    return {
      kind: "many",
      from: count(values.from),
      count: count(values.seeds),
      workers: Math.max(1, count(values.workers)),
      wipesOnly: values.wipes,
      showsCoverage: values.coverage,
    };
  } catch {
    return null;
  }
}

function count(text: string | undefined): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new RangeError(`${text} is no count`);
}

async function main(): Promise<number> {
  const wish = readArguments();
  if (wish === null) {
    print(usage);
    return 64;
  }
  return wish.kind === "replay" ? replay(wish.seed) : runMany(wish);
}

function replay(seed: number): number {
  const { violation, steps, simulatedMs } = simulate(seed, { onLine: print });
  print(`${steps} steps, ${(simulatedMs / 1000).toFixed(1)} simulated seconds`);
  if (violation === null) return 0;
  print(`VIOLATED ${violation.message}`);
  return 1;
}

async function runMany(options: Extract<Wish, { kind: "many" }>): Promise<number> {
  const beganMs = performance.now();
  const summary = await runSeeds(options, (failure) => {
    print(`seed ${failure.seed} VIOLATED ${failure.message}`);
    print(`  at step ${failure.step}; replay: npm run simulate -- --seed ${failure.seed}`);
  });
  const seconds = (performance.now() - beganMs) / 1000;
  print(
    `${summary.seeds} seeds, ${summary.withWipes} with wiped disks, ${summary.failures} failed, ${(summary.seeds / seconds).toFixed(1)} seeds/s, ` +
      `${summary.steps} steps, ${(summary.simulatedMs / 3_600_000).toFixed(2)} simulated hours, ` +
      `slowest recovery ${summary.slowestRecovery.toFixed(1)} election timeouts`,
  );
  if (options.showsCoverage) {
    for (const [what, times] of [...summary.coverage.counts].sort()) print(`  ${what}: ${times}`);
  }
  return summary.failures === 0 ? 0 : 1;
}

process.exitCode = await main();
